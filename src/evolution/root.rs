//! Roots of functions of one variable between points of different sign.

use crate::error::Result;

/// Largest number of evaluations. Bisection of any two numbers to rounding takes fewer.
const EVALUATIONS: usize = 200;

/// Returns a change of sign of a function, to rounding, between two points with values of different sign: the point there at which the
/// function is not negative.
///
/// Inverse quadratic interpolation, and bisection where that is not safe (Chandrupatla 1997).
///
/// # Errors
/// Fails if the function does.
//
// At a jump the other point may be the one with the smaller value. There the function would still be negative, and an event that was
// put there would happen again at once.
pub(super) fn root(
    [mut a, mut value_a]: [f64; 2],
    [mut b, mut value_b]: [f64; 2],
    mut f: impl FnMut(f64) -> Result<f64>,
) -> Result<f64> {
    let mut share = 0.5;
    for _ in 0..EVALUATIONS {
        let best = if value_a.abs() <= value_b.abs() { a } else { b };
        let tolerance = 2.0 * f64::EPSILON * best.abs() + f64::MIN_POSITIVE;
        let smallest = tolerance / (b - a).abs();
        if smallest >= 0.5 || value_a == 0.0 || value_b == 0.0 {
            break;
        }
        let x = a + f64::clamp(share, smallest, 1.0 - smallest) * (b - a);
        let value = f(x)?;
        // x and b hold the change of sign, and c is the point that was given up.
        let [c, value_c] = if (value < 0.0) == (value_a < 0.0) {
            [a, value_a]
        } else {
            let given_up = [b, value_b];
            [b, value_b] = [a, value_a];
            given_up
        };
        [a, value_a] = [x, value];
        let (place, height) = ((a - b) / (c - b), (value_a - value_b) / (value_c - value_b));
        // The quadratic through the three points is monotone between a and b.
        let monotone = height * height < place && (1.0 - height).powi(2) < 1.0 - place;
        share = 0.5;
        if monotone {
            share = value_a / (value_b - value_a) * value_c / (value_b - value_c)
                + (c - a) / (b - a) * value_a / (value_c - value_a) * value_b / (value_c - value_b);
        }
    }
    // Of a zero and a positive value, the zero is the root.
    let is_a = value_b < 0.0 || value_a == 0.0;
    Ok(if is_a { a } else { b })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::root;

    #[test]
    fn roots_are_found_to_rounding_in_few_evaluations() {
        type Case = (fn(f64) -> f64, [f64; 2], f64, usize);
        let cases: [Case; 6] = [
            (|x| x * x - 2.0, [0.0, 2.0], 2f64.sqrt(), 12),
            (|x| x.exp() - 1e-9, [-100.0, 1.0], 1e-9f64.ln(), 25),
            (|x| x.powi(9), [-1.0, 1.7], 0.0, 200),
            (|x| if x < 0.3 { -1.0 } else { 1e9 }, [0.0, 1.0], 0.3, 60),
            (|x| x - 1e-7, [0.0, 1.0], 1e-7, 5),
            (|x| 3.0 - x, [0.0, 3.0], 3.0, 0),
        ];
        for (f, [a, b], exact, most) in cases {
            let mut count = 0;
            let found = root([a, f(a)], [b, f(b)], |x| {
                count += 1;
                Ok(f(x))
            });
            let gap = (found.unwrap() - exact).abs();
            assert!(
                gap <= 4.0 * f64::EPSILON * exact.abs() + 1e-30,
                "{exact}: {gap:e}"
            );
            assert!(count <= most, "{exact}: {count} evaluations");
        }
    }

    #[test]
    fn at_a_jump_the_root_is_the_first_point_after_it() {
        for (low, high) in [(-1.0, 1.0), (-0.5, 1.0), (-2.0, 1.0), (-1e-9, 1.0)] {
            for k in 1..200 {
                let at = f64::from(k) / 201.0;
                let f = |x: f64| if x < at { low } else { high };
                let found = root([0.0, low], [1.0, high], |x| Ok(f(x))).unwrap();
                let gap = found - at;
                assert!(
                    (0.0..=4.0 * f64::EPSILON).contains(&gap),
                    "{low} {high} {at}: {gap:e}"
                );
            }
        }
    }
}
