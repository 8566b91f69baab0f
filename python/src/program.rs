//! Functions written in Python, as lists of operations that are evaluated for every scalar of the library.

use std::f64::consts::{LN_2, PI};

use pullback::automatic::Scalar;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Functions of one number, by the names that Python uses.
macro_rules! functions {
    ($($variant:ident $name:literal $method:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        enum Function { $($variant),* }

        impl Function {
            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            #[inline(always)]
            fn at<S: Scalar>(self, x: S) -> S {
                match self {
                    $(Self::$variant => x.$method(),)*
                }
            }
        }
    };
}

functions! {
    Abs "absolute" abs,
    Recip "reciprocal" recip,
    Sqrt "sqrt" sqrt,
    Cbrt "cbrt" cbrt,
    Exp "exp" exp,
    ExpM1 "expm1" exp_m1,
    Ln "log" ln,
    Ln1p "log1p" ln_1p,
    Sin "sin" sin,
    Cos "cos" cos,
    Tan "tan" tan,
    Asin "arcsin" asin,
    Acos "arccos" acos,
    Atan "arctan" atan,
    Sinh "sinh" sinh,
    Cosh "cosh" cosh,
    Tanh "tanh" tanh,
    Asinh "arcsinh" asinh,
    Acosh "arccosh" acosh,
    Atanh "arctanh" atanh,
    Sinc "sinc" sinc,
    Expit "expit" expit,
}

/// Functions that are accurate to rounding, with their derivatives, where the formulas of textbooks cancel or overflow.
///
/// Each is one smooth function, computed by different formulas: their choice is no branch that derivatives could miss.
trait Special: Scalar {
    /// Returns the number that chooses a formula.
    fn number(self) -> f64 {
        let mut number = f64::NAN;
        self.lookup(|x| {
            number = x;
            [x, 1.0, 0.0]
        });
        number
    }

    /// Returns f(x) of an odd function that is known for x ≥ 0.
    fn odd(self, f: impl FnOnce(Self) -> Self) -> Self {
        match self.number() < 0.0 {
            true => -f(-self),
            false => f(self),
        }
    }

    /// Returns ln(x + √(x² + 1)).
    fn asinh(self) -> Self {
        self.odd(|x| match x.number() > LARGE {
            true => x.ln() + LN_2,
            false => (x + x * x / ((x * x + 1.0).sqrt() + 1.0)).ln_1p(),
        })
    }

    /// Returns ln(x + √(x² − 1)).
    fn acosh(self) -> Self {
        let above = self - 1.0;
        match self.number() > LARGE {
            true => self.ln() + LN_2,
            false => (above + (above * (above + 2.0)).sqrt()).ln_1p(),
        }
    }

    /// Returns ln((1 + x)/(1 − x))/2.
    fn atanh(self) -> Self {
        self.odd(|x| (x * 2.0 / (-x + 1.0)).ln_1p() * 0.5)
    }

    /// Returns sin(πx)/(πx), which is 1 at 0.
    fn sinc(self) -> Self {
        let y = self * PI;
        if y.number().abs() > 0.05 {
            return y.sin() / y;
        }
        // The series up to y⁸/9!.
        let z = y * y;
        ((((z / 72.0 - 1.0) * z / 42.0 + 1.0) * z / 20.0 - 1.0) * z / 6.0) + 1.0
    }

    /// Returns 1/(1 + exp(−x)).
    fn expit(self) -> Self {
        let is_negative = self.number() < 0.0;
        let small = if is_negative { self } else { -self }.exp();
        let above = (small + 1.0).recip();
        if is_negative { small * above } else { above }
    }

    /// Returns √(x² + y²).
    fn hypot(self, y: Self) -> Self {
        let (a, b) = (self.number().abs(), y.number().abs());
        let scale = a.max(b);
        if scale.is_finite() && (scale > 1e140 || scale < 1e-140 && scale > 0.0) {
            // A power of two, which changes no digits.
            let scale = scale.log2().floor().exp2();
            let (x, y) = (self / scale, y / scale);
            return (x * x + y * y).sqrt() * scale;
        }
        (self * self + y * y).sqrt()
    }

    /// Returns x^y. A power of a negative number has no derivative in its exponent, which must be an integer: it counts as given.
    fn raised(self, y: Self) -> Self {
        let exponent = y.number();
        let is_integer = exponent.fract() == 0.0 && exponent.abs() < f64::from(i32::MAX);
        match is_integer && self.number() < 0.0 {
            // The pattern of the derivatives is the same for all numbers.
            true => self.powi(exponent as i32) + y * 0.0,
            false => self.pow(y),
        }
    }
}

impl<S: Scalar> Special for S {}

/// Number from which on x² ± 1 is x² to rounding.
const LARGE: f64 = 1e9;

/// Operation on earlier results, which are named by their places.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Time,
    State(usize),
    Parameter(usize),
    Constant(f64),
    Add(usize, usize),
    Subtract(usize, usize),
    Multiply(usize, usize),
    Divide(usize, usize),
    Negate(usize),
    /// x + c.
    Shift(usize, f64),
    /// c x.
    Scale(usize, f64),
    /// c/x.
    Over(usize, f64),
    /// xⁿ for an integer n.
    Integer(usize, i32),
    /// xᵃ for a constant a.
    Fractional(usize, f64),
    Power(usize, usize),
    Angle(usize, usize),
    Hypotenuse(usize, usize),
    Maximum(usize, usize),
    Minimum(usize, usize),
    Apply(Function, usize),
    Floor(usize),
    /// Piecewise linear interpolation in a table.
    Table(usize, usize),
    /// The third if the first is less than the second, and otherwise the fourth.
    Less([usize; 4]),
    /// The third if the first is at most the second, and otherwise the fourth.
    AtMost([usize; 4]),
    /// The third if the first equals the second, and otherwise the fourth.
    Equal([usize; 4]),
}

/// Operation in the form in which Python gives it: name, operands, and a number.
type Written = (String, Vec<usize>, f64);

/// Knots of an interpolation, and its values there.
type Table = (Vec<f64>, Vec<f64>);

/// Arguments of a function: time, state and parameters.
pub(crate) struct Arguments<'a, S> {
    pub(crate) t: f64,
    pub(crate) x: &'a [S],
    pub(crate) theta: &'a [S],
}

/// Function of the time, the state and the parameters.
#[derive(Debug)]
pub(crate) struct Program {
    operations: Vec<Operation>,
    tables: Vec<Table>,
    outputs: Vec<usize>,
}

impl<'py> FromPyObject<'_, 'py> for Program {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (operations, tables, outputs): (Vec<Written>, Vec<Table>, Vec<usize>) =
            object.extract()?;
        let mut read = Vec::with_capacity(operations.len());
        for operation in &operations {
            let found = operation_of(operation, read.len(), tables.len());
            read.push(found.ok_or_else(|| {
                PyValueError::new_err(format!("no operation {operation:?} at {}", read.len()))
            })?);
        }
        if outputs.iter().any(|place| *place >= read.len()) {
            return Err(PyValueError::new_err("an output is not among the results"));
        }
        Ok(Self {
            operations: read,
            tables,
            outputs,
        })
    }
}

/// Reads an operation whose operands are among this number of results.
fn operation_of(written: &Written, results: usize, tables: usize) -> Option<Operation> {
    use Operation as O;
    let (name, operands, number) = (written.0.as_str(), &written.1[..], written.2);
    match (name, operands) {
        ("time", []) => return Some(O::Time),
        ("state", &[i]) => return Some(O::State(i)),
        ("parameter", &[i]) => return Some(O::Parameter(i)),
        ("constant", []) => return Some(O::Constant(number)),
        ("interp", &[x, table]) => {
            return (x < results && table < tables).then_some(O::Table(x, table));
        }
        _ => {}
    }
    if operands.iter().any(|place| *place >= results) {
        return None;
    }
    Some(match (name, operands) {
        ("add", &[a, b]) => O::Add(a, b),
        ("subtract", &[a, b]) => O::Subtract(a, b),
        ("multiply", &[a, b]) => O::Multiply(a, b),
        ("divide", &[a, b]) => O::Divide(a, b),
        ("negative", &[a]) => O::Negate(a),
        ("shift", &[a]) => O::Shift(a, number),
        ("scale", &[a]) => O::Scale(a, number),
        ("over", &[a]) => O::Over(a, number),
        ("power", &[a]) => match number as i32 {
            n if f64::from(n) == number => O::Integer(a, n),
            _ => O::Fractional(a, number),
        },
        ("power", &[a, b]) => O::Power(a, b),
        ("arctan2", &[a, b]) => O::Angle(a, b),
        ("hypot", &[a, b]) => O::Hypotenuse(a, b),
        ("maximum", &[a, b]) => O::Maximum(a, b),
        ("minimum", &[a, b]) => O::Minimum(a, b),
        ("floor", &[a]) => O::Floor(a),
        ("less", &[a, b, c, d]) => O::Less([a, b, c, d]),
        ("less_equal", &[a, b, c, d]) => O::AtMost([a, b, c, d]),
        ("equal", &[a, b, c, d]) => O::Equal([a, b, c, d]),
        (name, &[a]) => O::Apply(Function::named(name)?, a),
        _ => return None,
    })
}

impl Program {
    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Returns whether all states and parameters that it uses exist.
    pub(crate) fn fits(&self, states: usize, parameters: usize) -> bool {
        self.operations.iter().all(|operation| match *operation {
            Operation::State(i) => i < states,
            Operation::Parameter(i) => i < parameters,
            _ => true,
        })
    }

    /// Evaluates the operations one after the other, and writes the outputs.
    pub(crate) fn evaluate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        self.evaluate_in(&mut self.room(), &Arguments { t, x, theta }, out);
    }

    /// Returns room for the results of all operations.
    pub(crate) fn room<S: Scalar>(&self) -> Vec<S> {
        Vec::with_capacity(self.operations.len())
    }

    /// Evaluates the operations with results in `r`, which is emptied first.
    // One copy for every scalar, whatever function of the dynamics is evaluated.
    #[inline(never)]
    pub(crate) fn evaluate_in<S: Scalar>(
        &self,
        r: &mut Vec<S>,
        &Arguments { t, x, theta }: &Arguments<'_, S>,
        out: &mut [S],
    ) {
        use Operation as O;
        r.clear();
        for operation in &self.operations {
            let result = match *operation {
                O::Time => S::from(t),
                O::State(i) => x[i],
                O::Parameter(i) => theta[i],
                O::Constant(c) => S::from(c),
                O::Add(a, b) => r[a] + r[b],
                O::Subtract(a, b) => r[a] - r[b],
                O::Multiply(a, b) => r[a] * r[b],
                O::Divide(a, b) => r[a] / r[b],
                O::Negate(a) => -r[a],
                O::Shift(a, c) => r[a] + c,
                O::Scale(a, c) => r[a] * c,
                O::Over(a, c) => r[a].recip() * c,
                O::Integer(a, n) => r[a].powi(n),
                O::Fractional(a, c) => r[a].powf(c),
                O::Power(a, b) => r[a].raised(r[b]),
                O::Angle(a, b) => r[a].atan2(r[b]),
                O::Hypotenuse(a, b) => r[a].hypot(r[b]),
                O::Maximum(a, b) => r[a].max(r[b]),
                O::Minimum(a, b) => r[a].min(r[b]),
                O::Apply(function, a) => function.at(r[a]),
                O::Floor(a) => r[a].lookup(|x| [x.floor(), 0.0, 0.0]),
                O::Table(a, table) => r[a].lookup(|x| interpolate(&self.tables[table], x)),
                O::Less([a, b, c, d]) => r[if r[a] < r[b] { c } else { d }],
                O::AtMost([a, b, c, d]) => r[if r[a] <= r[b] { c } else { d }],
                O::Equal([a, b, c, d]) => r[if r[a] == r[b] { c } else { d }],
            };
            r.push(result);
        }
        let places = self.outputs.iter();
        out.iter_mut()
            .zip(places)
            .for_each(|(out, &place)| *out = r[place]);
    }
}

/// Returns the value, the slope and the second derivative of a piecewise linear function, which is constant beyond its ends.
fn interpolate((knots, values): &Table, x: f64) -> [f64; 3] {
    let last = knots.len() - 1;
    match knots.partition_point(|knot| *knot <= x) {
        _ if x.is_nan() => [f64::NAN; 3],
        0 => [values[0], 0.0, 0.0],
        right if right > last => [values[last], 0.0, 0.0],
        right => {
            let left = right - 1;
            let slope = (values[right] - values[left]) / (knots[right] - knots[left]);
            [values[left] + slope * (x - knots[left]), slope, 0.0]
        }
    }
}
