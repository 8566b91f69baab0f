//! Level sets by marching squares.
//!
//! The cell centres form a mesh of squares. The field is interpolated linearly along each side, so the level crosses a
//! side once if the values at its two ends lie on different sides of the level, and otherwise not at all. Two adjacent
//! squares share a side and its crossing. Joining segments at shared sides gives curves.

use crate::field::Field2;
use crate::layer::Point;
use std::collections::HashMap;

/// Side of the mesh of cell centres: its lower corner (i, j), and whether the side runs along x.
type Side = (usize, usize, bool);

/// Computes the curves on which the field has the value `level`.
pub(crate) fn contour(field: &Field2, level: f64) -> Vec<Vec<Point>> {
    let mut segments = Vec::new();
    for i in 1..field.shape[0] {
        for j in 1..field.shape[1] {
            segments.extend(square(field, level, [i - 1, j - 1]));
        }
    }
    let place = |side: Side| crossing(field, level, side);
    let chains = chain(&segments);
    chains
        .into_iter()
        .map(|sides| sides.into_iter().map(place).collect())
        .collect()
}

/// Returns the segments within one square, each as a pair of crossed sides.
fn square(field: &Field2, level: f64, [i, j]: [usize; 2]) -> Vec<[Side; 2]> {
    // Corners and sides in one cyclic order: side k joins the corners k and k + 1.
    let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
    let sides = [
        (i, j, true),
        (i + 1, j, false),
        (i, j + 1, true),
        (i, j, false),
    ];
    let values = corners.map(|(a, b)| field.value(a, b));
    if values.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    let above = values.map(|v| v >= level);
    let crossed: Vec<Side> = (0..4)
        .filter(|&k| above[k] != above[(k + 1) % 4])
        .map(|k| sides[k])
        .collect();
    // Four crossings form a saddle, which can be resolved in two ways. The mean of the corners approximates the value
    // at the centre. If it lies on the same side of the level as corner 0, the corners 0 and 2 are connected, and the
    // segments cut off the corners 1 and 3; otherwise they cut off 0 and 2.
    let joined = (values.iter().sum::<f64>() / 4.0 >= level) == above[0];
    match crossed[..] {
        [a, b] => vec![[a, b]],
        [a, b, c, d] if joined => vec![[a, b], [c, d]],
        [a, b, c, d] => vec![[d, a], [b, c]],
        _ => Vec::new(),
    }
}

/// Returns the point at which the level crosses a side, by linear interpolation.
fn crossing(field: &Field2, level: f64, (i, j, along_x): Side) -> Point {
    let (k, l) = if along_x { (i + 1, j) } else { (i, j + 1) };
    let (a, b) = (field.centre(i, j), field.centre(k, l));
    let (low, high) = (field.value(i, j), field.value(k, l));
    let share = ((level - low) / (high - low)).clamp(0.0, 1.0);
    [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]
}

/// Joins segments that share a side into chains of sides.
fn chain(segments: &[[Side; 2]]) -> Vec<Vec<Side>> {
    let mut segments_at: HashMap<Side, Vec<usize>> = HashMap::new();
    for (index, ends) in segments.iter().enumerate() {
        for end in ends {
            segments_at.entry(*end).or_default().push(index);
        }
    }
    let mut used = vec![false; segments.len()];
    let mut follow = |start: Side| {
        let mut sides = vec![start];
        let mut end = start;
        while let Some(next) = segments_at
            .get(&end)
            .and_then(|all| all.iter().copied().find(|&s| !used[s]))
        {
            used[next] = true;
            let [a, b] = segments[next];
            end = if a == end { b } else { a };
            sides.push(end);
        }
        sides
    };
    // Open chains come first. They start at a side that belongs to one segment only. The remaining segments form closed
    // chains.
    let free = |end: &&Side| segments_at.get(*end).is_some_and(|all| all.len() == 1);
    let ends = segments.iter().flatten().filter(free);
    let starts: Vec<Side> = ends.chain(segments.iter().flatten()).copied().collect();
    let chains = starts.into_iter().map(&mut follow);
    chains.filter(|sides| sides.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(f: impl Fn(f64, f64) -> f64) -> Field2 {
        Field2::sample([-2.0, 2.0], [-2.0, 2.0], [80, 60], f)
    }

    #[test]
    fn the_contour_of_a_cone_is_one_closed_circle() {
        let curves = contour(&grid(f64::hypot), 1.0);
        assert_eq!(curves.len(), 1);
        assert_eq!(curves[0].first(), curves[0].last());
        for [x, y] in &curves[0] {
            assert!((x.hypot(*y) - 1.0).abs() < 2e-3);
        }
        let turn: f64 = curves[0]
            .windows(2)
            .map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]))
            .sum();
        assert!((turn - std::f64::consts::TAU).abs() < 0.02);
    }

    #[test]
    fn the_contour_of_a_plane_is_one_straight_line() {
        let curves = contour(&grid(|x, y| x + 0.5 * y), 0.3);
        assert_eq!(curves.len(), 1);
        for [x, y] in &curves[0] {
            assert!((x + 0.5 * y - 0.3).abs() < 1e-12);
        }
    }

    #[test]
    fn a_saddle_gives_two_branches() {
        for level in [-0.2, 0.2] {
            let curves = contour(&grid(|x, y| x * y), level);
            assert_eq!(curves.len(), 2, "level {level}");
        }
    }

    #[test]
    fn holes_and_small_grids_have_no_contour() {
        let hole = grid(|x, _| if x > 0.0 { f64::NAN } else { x });
        assert!(
            contour(&hole, -1.0)[0]
                .iter()
                .all(|p| (p[0] + 1.0).abs() < 1e-9)
        );
        assert!(contour(&grid(|_, _| 1.0), 1.0).is_empty());
        let single = Field2::sample([0.0, 1.0], [0.0, 1.0], [1, 1], |x, _| x);
        assert!(contour(&single, 0.5).is_empty());
    }
}
