//! Recorded evaluations: the pattern of a Jacobian by reachability, and its rows in reverse.

use std::cell::RefCell;

use super::dual::{Dual, Tangent};

/// Number on the tape of its thread.
pub(crate) type Var = Dual<f64, Node>;

/// Position on a tape where a number was computed. Constants are on no tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node(u32);

const CONSTANT: Node = Node(u32::MAX);

/// Mark of outputs that the function has not written.
const UNWRITTEN: Node = Node(u32::MAX - 1);

/// Operation on a tape: its operands and the partial derivatives with respect to them.
#[derive(Clone, Copy)]
struct Operation {
    of: [Node; 2],
    slopes: [f64; 2],
}

#[derive(Default)]
struct Recorder {
    operations: Vec<Operation>,
    /// Whether a value that depends on an input was read without its derivatives.
    values_read: bool,
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

impl Node {
    fn push(of: [Self; 2], slopes: [f64; 2]) -> Self {
        if of == [CONSTANT; 2] {
            return CONSTANT;
        }
        RECORDER.with_borrow_mut(|recorder| {
            recorder.operations.push(Operation { of, slopes });
            Self(recorder.operations.len() as u32 - 1)
        })
    }
}

impl Tangent<f64> for Node {
    fn zero() -> Self {
        CONSTANT
    }

    fn plus(self, other: Self) -> Self {
        Self::push([self, other], [1.0, 1.0])
    }

    fn minus(self, other: Self) -> Self {
        Self::push([self, other], [1.0, -1.0])
    }

    fn negated(self) -> Self {
        Self::push([self, CONSTANT], [-1.0, 0.0])
    }

    fn scaled(self, a: f64) -> Self {
        Self::push([self, CONSTANT], [a, 0.0])
    }

    fn combined(self, a: f64, other: Self, b: f64) -> Self {
        Self::push([self, other], [a, b])
    }

    fn stretched(self, a: f64) -> Self {
        self.scaled(a)
    }

    fn chosen(self, other: Self, first: bool) -> Self {
        // The pattern holds on either side of the kink.
        let first = f64::from(u8::from(first));
        Self::push([self, other], [first, 1.0 - first])
    }

    fn read(self) {
        if self != CONSTANT {
            RECORDER.with_borrow_mut(|recorder| recorder.values_read = true);
        }
    }
}

/// Recorded evaluation of y = f(x).
pub(super) struct Tape {
    operations: Vec<Operation>,
    inputs: usize,
    outputs: Vec<Node>,
    /// Values of the outputs.
    pub(super) values: Vec<f64>,
    /// Whether f read a value that depends on an input without its derivatives.
    pub(super) values_read: bool,
}

impl Tape {
    /// Records f at x with `rows` outputs.
    pub(super) fn record(x: &[f64], rows: usize, f: impl FnOnce(&[Var], &mut [Var])) -> Self {
        // A function that panicked halfway has left its operations behind.
        RECORDER.with_borrow_mut(|recorder| {
            recorder.values_read = false;
            recorder.operations.clear();
            let input = Operation {
                of: [CONSTANT; 2],
                slopes: [0.0; 2],
            };
            recorder.operations.resize(x.len(), input);
        });
        let number = |(i, &value): (usize, &f64)| Var {
            value,
            tangent: Node(i as u32),
        };
        let x: Vec<Var> = x.iter().enumerate().map(number).collect();
        let unwritten = Var {
            value: f64::NAN,
            tangent: UNWRITTEN,
        };
        let mut out = vec![unwritten; rows];
        f(&x, &mut out);
        let recorder = RECORDER.take();
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
    fn operands(&self, node: usize) -> impl Iterator<Item = (usize, f64)> + use<'_> {
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
    pub(super) fn gradient(&self, row: usize) -> Vec<f64> {
        // ȳ = 1 at the output. In reverse order, each operation passes ȳ times its partial derivatives to its operands.
        let mut adjoint = vec![0.0; self.operations.len()];
        if let Some(node) = self.root(row) {
            adjoint[node] = 1.0;
        }
        for node in (self.inputs..self.operations.len()).rev() {
            let y = adjoint[node];
            // An operation without influence passes 0 even through an infinite slope.
            if y != 0.0 {
                for (operand, slope) in self.operands(node) {
                    adjoint[operand] += slope * y;
                }
            }
        }
        adjoint.truncate(self.inputs);
        adjoint
    }
}
