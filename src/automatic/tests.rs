//! Every elementary function against differences, in forward and reverse mode and to second order.
#![allow(clippy::unwrap_used)]

use super::dual::{Dual, Lanes};
use super::scalar::Scalar;
use super::tape::Tape;

/// Function of two numbers, for every scalar.
trait Function {
    fn call<S: Scalar>(&self, x: S, y: S) -> S;
}

/// Number of elementary functions.
const COUNT: usize = 33;

struct Elementary(usize);

impl Function for Elementary {
    fn call<S: Scalar>(&self, x: S, y: S) -> S {
        match self.0 {
            0 => -x,
            1 => x + y,
            2 => x - y,
            3 => x * y,
            4 => x / y,
            5 => x * 3.0 + 1.0 - y / 4.0,
            6 => (x - 1.0).abs(),
            7 => x.max(y) * x,
            8 => x.min(y) * x,
            9 => x.recip(),
            10 => x.sqrt(),
            11 => x.cbrt(),
            12 => x.exp(),
            13 => x.exp_m1(),
            14 => x.ln(),
            15 => x.ln_1p(),
            16 => x.sin(),
            17 => x.cos(),
            18 => x.tan(),
            19 => (x * 0.5).asin(),
            20 => (x * 0.5).acos(),
            21 => x.atan(),
            22 => x.atan2(y),
            23 => x.sinh(),
            24 => x.cosh(),
            25 => x.tanh(),
            26 => x.powi(3) + x.powi(0) + x.powi(1) + x.powi(2) + x.powi(-2),
            27 => x.powf(1.7) + x.powf(0.0),
            28 => x.pow(y),
            29 => [x, y, x].iter().sum::<S>() + [x, y].into_iter().sum::<S>(),
            30 => x.lookup(|x| [x.sin(), x.cos(), -x.sin()]),
            31 => {
                let mut z = x;
                z += y;
                z -= 0.5;
                z *= x;
                z /= y;
                z += 2.0;
                z *= 3.0;
                z /= 7.0;
                z -= y;
                z
            }
            _ => {
                if x < y && x < 5.0 {
                    x * y
                } else {
                    x
                }
            }
        }
    }
}

const POINTS: [[f64; 2]; 3] = [[0.7, 1.3], [1.1, 0.9], [0.6, 2.5]];

/// Fourth-order central difference.
fn difference(f: impl Fn(f64) -> f64) -> f64 {
    let h = 3e-4;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn assert_close(a: f64, b: f64, place: &str) {
    assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()), "{place}: {a} {b}");
}

/// Returns f and its gradient.
fn gradient(f: &impl Function, [x, y]: [f64; 2]) -> [f64; 3] {
    let seed = |value, tangent| Lanes::<f64, 2> { value, tangent };
    let z = f.call(seed(x, [1.0, 0.0]), seed(y, [0.0, 1.0]));
    [z.value, z.tangent[0], z.tangent[1]]
}

#[test]
fn first_derivatives_agree_with_differences() {
    for f in (0..COUNT).map(Elementary) {
        for [x, y] in POINTS {
            let place = format!("function {} at {x}, {y}", f.0);
            let [value, fx, fy] = gradient(&f, [x, y]);
            assert_close(value, f.call(x, y), &place);
            assert_close(fx, difference(|h| f.call(x + h, y)), &place);
            assert_close(fy, difference(|h| f.call(x, y + h)), &place);
        }
    }
}

#[test]
fn tapes_give_the_same_derivatives() {
    for f in (0..COUNT).map(Elementary) {
        for point in POINTS {
            let tape = Tape::record(&point, 1, |x, out| out[0] = f.call(x[0], x[1]));
            let [value, fx, fy] = gradient(&f, point);
            let found = tape.gradient(0);
            assert_eq!(tape.values[0], value);
            assert_close(found[0], fx, &format!("function {}", f.0));
            assert_close(found[1], fy, &format!("function {}", f.0));
        }
    }
}

#[test]
fn second_derivatives_agree_with_differences_of_first_ones() {
    for f in (0..COUNT).map(Elementary) {
        for [x, y] in POINTS {
            // Inner tangent along (1, 2), outer tangents along x and y.
            let inner = |value, slope| Dual {
                value,
                tangent: [slope],
            };
            let seed = |value, slope, outer: [f64; 2]| Lanes::<Lanes<f64, 1>, 2> {
                value: inner(value, slope),
                tangent: outer.map(|d| inner(d, 0.0)),
            };
            let z = f.call(seed(x, 1.0, [1.0, 0.0]), seed(y, 2.0, [0.0, 1.0]));
            for k in 0..2 {
                let along = |h: f64| gradient(&f, [x + h, y + 2.0 * h])[k + 1];
                let place = format!("function {} at {x}, {y}", f.0);
                assert_close(z.tangent[k].tangent[0], difference(along), &place);
            }
        }
    }
}

/// An argument that is constant has derivative 0 even where the slope is infinite.
#[test]
fn constants_stay_constant_at_singular_points() {
    let zero = Lanes::<f64, 2>::from(0.0);
    let results = [
        zero.sqrt(),
        zero.cbrt(),
        zero.powf(0.5),
        zero.ln(),
        zero.pow(0.5.into()),
    ];
    for (i, z) in results.into_iter().enumerate() {
        assert_eq!(z.tangent, [0.0; 2], "function {i}");
    }
    let x = Lanes::<f64, 2> {
        value: 0.0,
        tangent: [1.0, 0.0],
    };
    assert_eq!(x.sqrt().tangent, [f64::INFINITY, 0.0]);
    assert_eq!(x.powi(2).tangent, [0.0; 2]);
}

#[test]
fn undefined_values_stay_undefined() {
    let nan = Lanes::<f64, 1>::from(f64::NAN);
    let one = Lanes::<f64, 1>::from(1.0);
    for z in [
        nan.max(one),
        one.max(nan),
        nan.min(one),
        one.min(nan),
        nan.abs(),
    ] {
        assert!(z.value.is_nan());
    }
    assert!(Scalar::max(f64::NAN, 1.0).is_nan() && Scalar::max(1.0, f64::NAN).is_nan());
}
