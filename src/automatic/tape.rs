//! Recorded evaluations: the pattern of a Jacobian by reachability, and its rows in reverse.

use std::cell::RefCell;

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
pub(crate) struct Node(u32);

const CONSTANT: Node = Node(u32::MAX);

/// Mark of outputs that the function has not written.
const UNWRITTEN: Node = Node(u32::MAX - 1);

/// Operation on a tape: its operands and the partial derivatives with respect to them.
#[derive(Clone, Copy)]
struct Operation<T> {
    of: [Node; 2],
    slopes: [T; 2],
}

/// Operations recorded so far.
pub(crate) struct Recorder<T> {
    operations: Vec<Operation<T>>,
    /// Whether a value that depends on an input was read without its derivatives.
    values_read: bool,
}

impl<T> Default for Recorder<T> {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            values_read: false,
        }
    }
}

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
    fn push<T: Recorded>(of: [Self; 2], slopes: [T; 2]) -> Self {
        if of == [CONSTANT; 2] {
            return CONSTANT;
        }
        T::recorder().with_borrow_mut(|recorder| {
            recorder.operations.push(Operation { of, slopes });
            Self(recorder.operations.len() as u32 - 1)
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
        let first = f64::from(u8::from(first));
        Self::push([self, other], [T::from(first), T::from(1.0 - first)])
    }

    fn read(self) {
        if self != CONSTANT {
            T::recorder().with_borrow_mut(|recorder| recorder.values_read = true);
        }
    }
}

/// Recorded evaluation of y = f(x).
pub(super) struct Tape<T = f64> {
    operations: Vec<Operation<T>>,
    inputs: usize,
    outputs: Vec<Node>,
    /// Values of the outputs.
    pub(super) values: Vec<T>,
    /// Whether f read a value that depends on an input without its derivatives.
    pub(super) values_read: bool,
}

impl<T: Recorded> Tape<T> {
    /// Records f at x with `rows` outputs.
    pub(super) fn record(x: &[T], rows: usize, f: impl FnOnce(&[Var<T>], &mut [Var<T>])) -> Self {
        // A function that panicked halfway has left its operations behind.
        T::recorder().with_borrow_mut(|recorder| {
            recorder.values_read = false;
            recorder.operations.clear();
            let input = Operation {
                of: [CONSTANT; 2],
                slopes: [T::from(0.0); 2],
            };
            recorder.operations.resize(x.len(), input);
        });
        let number = |(i, &value): (usize, &T)| Var {
            value,
            tangent: Node(i as u32),
        };
        let x: Vec<Var<T>> = x.iter().enumerate().map(number).collect();
        let unwritten = Var {
            value: T::from(f64::NAN),
            tangent: UNWRITTEN,
        };
        let mut out = vec![unwritten; rows];
        f(&x, &mut out);
        let recorder = T::recorder().take();
        Self {
            operations: recorder.operations,
            inputs: x.len(),
            outputs: out.iter().map(|y| y.tangent).collect(),
            values: out.iter().map(|y| y.value).collect(),
            values_read: recorder.values_read,
        }
    }

    /// Returns the first output that f has not written.
    pub(super) fn unwritten(&self) -> Option<usize> {
        self.outputs.iter().position(|node| *node == UNWRITTEN)
    }

    /// Returns the operands of a node that are on the tape.
    fn operands(&self, node: usize) -> impl Iterator<Item = (usize, T)> + use<'_, T> {
        let Operation { of, slopes } = self.operations[node];
        let both = of.into_iter().zip(slopes);
        both.filter(|(of, _)| *of != CONSTANT && *of != UNWRITTEN)
            .map(|(of, slope)| (of.0 as usize, slope))
    }

    fn root(&self, row: usize) -> Option<usize> {
        let node = self.outputs[row];
        (node != CONSTANT && node != UNWRITTEN).then_some(node.0 as usize)
    }

    /// Returns the inputs that every output depends on, in increasing order.
    pub(super) fn pattern(&self) -> Vec<Vec<usize>> {
        // A depth-first search backwards from each output. `seen` holds the last output that reached a node, so that it need
        // not be cleared.
        let mut seen = vec![usize::MAX; self.operations.len()];
        let mut stack = Vec::new();
        let row = |row: usize| {
            let mut found = Vec::new();
            stack.extend(self.root(row));
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

    /// Returns the gradient of one output.
    pub(super) fn gradient(&self, row: usize) -> Vec<T> {
        self.pull_back(self.root(row).map(|node| (node, 1.0)))
    }

    /// Returns the gradient of Σ wᵢyᵢ.
    pub(super) fn weighted_gradient(&self, weights: &[f64]) -> Vec<T> {
        let outputs = weights.iter().enumerate();
        self.pull_back(outputs.filter_map(|(row, w)| Some((self.root(row)?, *w))))
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
                    adjoint[operand] += slope * y;
                }
            }
        }
        adjoint.truncate(self.inputs);
        adjoint
    }
}
