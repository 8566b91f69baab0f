//! Recorded evaluations: the pattern of a Jacobian by reachability, and its rows in reverse.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::LocalKey;

use super::dual::{Dual, Lanes, Tangent};
use super::scalar::Scalar;

/// Number on the tape of its thread, whose partial derivatives have the type T.
///
/// T = f64 gives gradients. A dual number T, which carries derivatives along some directions, gives gradients together with
/// their derivatives along these directions: products with second derivatives (forward over reverse).
pub(crate) type Var<T = f64> = Dual<T, Node>;

/// Scalar with a recorder of its own on every thread.
pub(crate) trait Recorded: Scalar {
    /// Returns the recorder of partial derivatives of this type.
    fn recorder() -> &'static LocalKey<RefCell<Recorder<Self>>>;
    /// Returns whether the number and all its derivatives are 0.
    fn vanishes(self) -> bool;
}

/// Position on a tape where a number was computed. Constants are on no tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    place: u32,
    /// Number of the tape, 0 for none.
    tape: u32,
}

const CONSTANT: Node = Node::on_no_tape(u32::MAX);

/// Mark of outputs that the function has not written.
const UNWRITTEN: Node = Node::on_no_tape(u32::MAX - 1);

/// Mark of numbers that were computed from those of another tape, or on another thread.
const FOREIGN: Node = Node::on_no_tape(u32::MAX - 2);

/// Operation on a tape: the places of its operands and the partial derivatives with respect to them.
#[derive(Clone, Copy)]
struct Operation<T> {
    of: [u32; 2],
    slopes: [T; 2],
    /// Whether the second operand was not chosen, as the smaller number in a maximum.
    idle: bool,
}

/// Operations recorded so far.
pub(crate) struct Recorder<T> {
    operations: Vec<Operation<T>>,
    /// Number of the tape, 0 while nothing is recorded.
    tape: u32,
}

impl<T> Default for Recorder<T> {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            tape: 0,
        }
    }
}

/// Number of the last tape.
static TAPES: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static RECORDER: RefCell<Recorder<f64>> = RefCell::default();
    static ALONG_ONE: RefCell<Recorder<Lanes<f64, 1>>> = RefCell::default();
    static ALONG_FOUR: RefCell<Recorder<Lanes<f64, 4>>> = RefCell::default();
}

impl Recorded for f64 {
    fn recorder() -> &'static LocalKey<RefCell<Recorder<Self>>> {
        &RECORDER
    }

    fn vanishes(self) -> bool {
        self == 0.0
    }
}

impl Recorded for Lanes<f64, 1> {
    fn recorder() -> &'static LocalKey<RefCell<Recorder<Self>>> {
        &ALONG_ONE
    }

    fn vanishes(self) -> bool {
        self.value == 0.0 && self.tangent == [0.0]
    }
}

impl Recorded for Lanes<f64, 4> {
    fn recorder() -> &'static LocalKey<RefCell<Recorder<Self>>> {
        &ALONG_FOUR
    }

    fn vanishes(self) -> bool {
        self.value == 0.0 && self.tangent == [0.0; 4]
    }
}

impl Node {
    const fn on_no_tape(place: u32) -> Self {
        Self { place, tape: 0 }
    }

    /// Returns the place of an operation, and None for constants and marks.
    fn place(self) -> Option<usize> {
        (self.tape != 0).then_some(self.place as usize)
    }

    fn push<T: Recorded>(of: [Self; 2], slopes: [T; 2]) -> Self {
        Self::record(of, slopes, false)
    }

    fn record<T: Recorded>(of: [Self; 2], slopes: [T; 2], idle: bool) -> Self {
        if of == [CONSTANT; 2] {
            return CONSTANT;
        }
        T::recorder().with_borrow_mut(|recorder| {
            let tape = recorder.tape;
            let known = |node: Self| node == CONSTANT || (node.tape == tape && tape != 0);
            if !of.into_iter().all(known) {
                return FOREIGN;
            }
            let of = of.map(|node| node.place);
            let place = recorder.operations.len() as u32;
            recorder.operations.push(Operation { of, slopes, idle });
            Self { place, tape }
        })
    }
}

impl<T: Recorded> Tangent<T> for Node {
    fn zero() -> Self {
        CONSTANT
    }

    fn plus(self, other: Self) -> Self {
        Self::push([self, other], [T::from(1.0); 2])
    }

    fn minus(self, other: Self) -> Self {
        Self::push([self, other], [T::from(1.0), T::from(-1.0)])
    }

    fn negated(self) -> Self {
        Self::push([self, CONSTANT], [T::from(-1.0), T::from(0.0)])
    }

    fn scaled(self, a: T) -> Self {
        Self::push([self, CONSTANT], [a, T::from(0.0)])
    }

    fn combined(self, a: T, other: Self, b: T) -> Self {
        Self::push([self, other], [a, b])
    }

    fn stretched(self, a: T) -> Self {
        Tangent::<T>::scaled(self, a)
    }

    fn chosen(self, other: Self, first: bool) -> Self {
        // The pattern holds on either side of the kink.
        let of = if first { [self, other] } else { [other, self] };
        Self::record(of, [T::from(1.0), T::from(0.0)], true)
    }
}

/// Recorded evaluation of y = f(x).
pub(super) struct Tape<T = f64> {
    operations: Vec<Operation<T>>,
    inputs: usize,
    outputs: Vec<Node>,
    /// Values of the outputs.
    pub(super) values: Vec<T>,
}

/// Puts the tape of an outer evaluation back, also if the inner one panics.
struct Outer<T: Recorded>(Recorder<T>);

impl<T: Recorded> Drop for Outer<T> {
    fn drop(&mut self) {
        let outer = std::mem::take(&mut self.0);
        T::recorder().set(outer);
    }
}

impl<T: Recorded> Tape<T> {
    /// Records f at x with `rows` outputs. f may itself record other tapes.
    pub(super) fn record(x: &[T], rows: usize, f: impl FnOnce(&[Var<T>], &mut [Var<T>])) -> Self {
        let input = Operation {
            of: [CONSTANT.place; 2],
            slopes: [T::from(0.0); 2],
            idle: false,
        };
        let tape = TAPES.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        let outer = Outer(T::recorder().replace(Recorder {
            operations: vec![input; x.len()],
            tape,
        }));
        let number = |(i, &value): (usize, &T)| Var {
            value,
            tangent: Node {
                place: i as u32,
                tape,
            },
        };
        let x: Vec<Var<T>> = x.iter().enumerate().map(number).collect();
        let unwritten = Var {
            value: T::from(f64::NAN),
            tangent: UNWRITTEN,
        };
        let mut out = vec![unwritten; rows];
        f(&x, &mut out);
        let recorder = T::recorder().take();
        drop(outer);
        // An output that was copied from another tape is foreign, too.
        let node = |y: &Var<T>| match y.tangent {
            node if node.tape != 0 && node.tape != tape => FOREIGN,
            node => node,
        };
        Self {
            operations: recorder.operations,
            inputs: x.len(),
            outputs: out.iter().map(node).collect(),
            values: out.iter().map(|y| y.value).collect(),
        }
    }

    /// Returns the first output that f has not written.
    pub(super) fn unwritten(&self) -> Option<usize> {
        self.outputs.iter().position(|node| *node == UNWRITTEN)
    }

    /// Returns the first output that was computed from numbers of another tape, or on another thread.
    pub(super) fn foreign(&self) -> Option<usize> {
        self.outputs.iter().position(|node| *node == FOREIGN)
    }

    /// Returns the operands of a node that are on the tape, with the slopes of those that were chosen.
    fn operands(&self, node: usize) -> impl Iterator<Item = (usize, Option<T>)> + use<'_, T> {
        let Operation { of, slopes, idle } = self.operations[node];
        let slopes = [Some(slopes[0]), Some(slopes[1]).filter(|_| !idle)];
        let both = of.into_iter().zip(slopes);
        both.filter(|(of, _)| *of != CONSTANT.place)
            .map(|(of, slope)| (of as usize, slope))
    }

    /// Returns the inputs that every output depends on, in increasing order.
    pub(super) fn pattern(&self) -> Vec<Vec<usize>> {
        // A depth-first search backwards from each output. `seen` holds the last output that reached a node, so that it need
        // not be cleared.
        let mut seen = vec![usize::MAX; self.operations.len()];
        let mut stack = Vec::new();
        let row = |row: usize| {
            let mut found = Vec::new();
            stack.extend(self.outputs[row].place());
            while let Some(node) = stack.pop() {
                if std::mem::replace(&mut seen[node], row) == row {
                    continue;
                }
                match node < self.inputs {
                    true => found.push(node),
                    false => stack.extend(self.operands(node).map(|(operand, _)| operand)),
                }
            }
            found.sort_unstable();
            found
        };
        (0..self.outputs.len()).map(row).collect()
    }

    /// Returns the outputs that depend on an input through an infinite slope.
    pub(super) fn singular(&self) -> Vec<usize> {
        // A number is constant, depends on inputs by finite slopes alone, or is singular.
        let mut reached = vec![0_u8; self.operations.len()];
        for node in 0..self.operations.len() {
            reached[node] = match node < self.inputs {
                true => 1,
                false => self.operands(node).fold(0, |most, (operand, slope)| {
                    let infinite = slope.is_some_and(|s| !s.value().is_finite());
                    match (reached[operand], slope) {
                        (0, _) | (_, None) => most,
                        (_, Some(_)) if infinite => 2,
                        (by, Some(_)) => most.max(by),
                    }
                }),
            };
        }
        let rows = self.outputs.iter().enumerate();
        rows.filter(|(_, node)| node.place().is_some_and(|place| reached[place] == 2))
            .map(|(row, _)| row)
            .collect()
    }

    /// Returns the gradient of one output.
    pub(super) fn gradient(&self, row: usize) -> Vec<T> {
        self.pull_back(self.outputs[row].place().map(|node| (node, 1.0)))
    }

    /// Returns the gradient of Σ wᵢyᵢ.
    pub(super) fn weighted_gradient(&self, weights: &[f64]) -> Vec<T> {
        let outputs = weights.iter().enumerate();
        self.pull_back(outputs.filter_map(|(row, w)| Some((self.outputs[row].place()?, *w))))
    }

    /// Returns Σ ȳ ∂y/∂x over the given nodes y, each with its weight ȳ.
    fn pull_back(&self, seeds: impl IntoIterator<Item = (usize, f64)>) -> Vec<T> {
        // ȳ starts at the outputs. In reverse order, each operation passes ȳ times its partial derivatives to its operands.
        let mut adjoint = vec![T::from(0.0); self.operations.len()];
        seeds
            .into_iter()
            .for_each(|(node, weight)| adjoint[node] += weight);
        for node in (self.inputs..self.operations.len()).rev() {
            let y = adjoint[node];
            // An operation without influence passes 0 even through an infinite slope.
            if !y.vanishes() {
                for (operand, slope) in self.operands(node) {
                    if let Some(slope) = slope {
                        adjoint[operand] += slope * y;
                    }
                }
            }
        }
        adjoint.truncate(self.inputs);
        adjoint
    }
}
