//! Clipping of curves and polygons to a window, and dashing of curves.

use crate::layer::Point;

/// Rectangle in pixels, where y points down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// Returns the rectangle around a centre with a half width and a half height.
    pub(crate) fn about([x, y]: Point, half_width: f64, half_height: f64) -> Area {
        Area {
            left: x - half_width,
            top: y - half_height,
            right: x + half_width,
            bottom: y + half_height,
        }
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn centre(&self) -> Point {
        [
            0.5 * (self.left + self.right),
            0.5 * (self.top + self.bottom),
        ]
    }

    /// Returns whether a point lies inside the rectangle, or at most half a pixel outside.
    pub(crate) fn holds(&self, [x, y]: Point) -> bool {
        let tolerance = 0.5;
        x >= self.left - tolerance
            && x <= self.right + tolerance
            && y >= self.top - tolerance
            && y <= self.bottom + tolerance
    }

    /// Returns the intersection with another rectangle, or `None` if the intersection is empty.
    pub(crate) fn intersection(&self, other: &Area) -> Option<Area> {
        let area = Area {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (area.left < area.right && area.top < area.bottom).then_some(area)
    }

    /// Returns the corners of the rectangle in cyclic order.
    pub(crate) fn corners(&self) -> [Point; 4] {
        [
            [self.left, self.top],
            [self.right, self.top],
            [self.right, self.bottom],
            [self.left, self.bottom],
        ]
    }

    /// Clips the segment from a to b and returns the two ends of its visible part (Liang and Barsky, 1984).
    pub(crate) fn cut(&self, a: Point, b: Point) -> Option<[Point; 2]> {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        // The segment is a + t(b − a) with 0 ≤ t ≤ 1. Every edge gives a condition p t ≤ q; at the left edge, for
        // instance, a_x + t dx ≥ left is −dx t ≤ a_x − left. The condition bounds t by q/p, from above if p > 0 and
        // from below if p < 0. If p = 0, the segment is parallel to the edge, and outside if q < 0.
        let bounds = [
            (-dx, a[0] - self.left),
            (dx, self.right - a[0]),
            (-dy, a[1] - self.top),
            (dy, self.bottom - a[1]),
        ];
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for (p, q) in bounds {
            if p < 0.0 {
                from = from.max(q / p);
            } else if p > 0.0 {
                to = to.min(q / p);
            } else if q < 0.0 {
                return None;
            }
        }
        let at = |t: f64| [a[0] + t * dx, a[1] + t * dy];
        (from <= to).then(|| [at(from), at(to)])
    }
}

/// Splits a curve into its visible pieces. Missing points and points outside break the curve.
pub(crate) fn pieces(curve: &[Option<Point>], window: &Area) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in curve.windows(2) {
        let (Some(a), Some(b)) = (pair[0], pair[1]) else {
            continue;
        };
        let Some([start, end]) = window.cut(a, b) else {
            continue;
        };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&start) => piece.push(end),
            _ => pieces.push(vec![start, end]),
        }
    }
    pieces
}

/// Clips a polygon to a window, one edge after the other (Sutherland and Hodgman, 1974).
pub(crate) fn polygon_within(polygon: &[Point], window: &Area) -> Vec<Point> {
    // Each edge is (axis, bound, sign). A point is on its inner side if depth = sign · (coordinate − bound) ≥ 0. The
    // depth is linear along a side of the polygon, so the side from a to b crosses the edge at t = depth(a)/(depth(a) −
    // depth(b)).
    let edges = [
        (0, window.left, 1.0),
        (0, window.right, -1.0),
        (1, window.top, 1.0),
        (1, window.bottom, -1.0),
    ];
    let mut ring = polygon.to_vec();
    for (axis, bound, sign) in edges {
        let depth = |p: &Point| sign * (p[axis] - bound);
        let mut kept = Vec::with_capacity(ring.len() + 4);
        for (k, a) in ring.iter().enumerate() {
            let b = &ring[(k + 1) % ring.len()];
            let (first, second) = (depth(a), depth(b));
            if first >= 0.0 {
                kept.push(*a);
            }
            if (first < 0.0) != (second < 0.0) {
                let t = first / (first - second);
                kept.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
            }
        }
        ring = kept;
    }
    ring
}

/// Cuts a curve into dashes of length `on` with gaps of length `off`.
pub(crate) fn dashes(curve: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<Point> = curve.first().copied().into_iter().collect();
    let (mut visible, mut remaining) = (true, on);
    for pair in curve.windows(2) {
        let (mut a, b) = (pair[0], pair[1]);
        let mut length = (b[0] - a[0]).hypot(b[1] - a[1]);
        while length > remaining {
            let t = remaining / length;
            a = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            length -= remaining;
            dash.push(a);
            if visible {
                dashes.push(std::mem::take(&mut dash));
            }
            visible = !visible;
            remaining = if visible { on } else { off };
            dash = vec![a];
        }
        remaining -= length;
        dash.push(b);
    }
    if visible && dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 10.0,
        bottom: 10.0,
    };

    #[test]
    fn a_segment_is_cut_at_the_edges() {
        let cut = WINDOW.cut([-5.0, 5.0], [25.0, 5.0]);
        assert_eq!(cut, Some([[0.0, 5.0], [10.0, 5.0]]));
        assert_eq!(WINDOW.cut([-5.0, 0.0], [-1.0, 20.0]), None);
        assert_eq!(WINDOW.cut([11.0, 5.0], [11.0, 6.0]), None);
    }

    #[test]
    fn a_curve_that_leaves_and_returns_is_two_pieces() {
        let curve = [[5.0, 5.0], [15.0, 5.0], [15.0, 6.0], [5.0, 6.0]].map(Some);
        let pieces = pieces(&curve, &WINDOW);
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().flatten().all(|p| WINDOW.holds(*p)));
    }

    #[test]
    fn a_polygon_is_cut_to_the_window() {
        let wide = [[-10.0, 4.0], [20.0, 4.0], [20.0, 6.0], [-10.0, 6.0]];
        let seen = polygon_within(&wide, &WINDOW);
        assert!(seen.len() >= 4 && seen.iter().all(|p| WINDOW.holds(*p)));
        assert!(polygon_within(&[[11.0, 1.0], [12.0, 1.0], [12.0, 2.0]], &WINDOW).is_empty());
    }

    #[test]
    fn missing_points_break_a_curve() {
        let curve = [Some([1.0, 1.0]), None, Some([2.0, 2.0]), Some([3.0, 3.0])];
        assert_eq!(pieces(&curve, &WINDOW), vec![vec![[2.0, 2.0], [3.0, 3.0]]]);
    }

    #[test]
    fn dashes_cover_their_share_of_the_length() {
        let dashes = dashes(&[[0.0, 0.0], [7.0, 0.0], [30.0, 0.0]], 6.0, 4.0);
        let length: f64 = dashes.iter().map(|d| d[d.len() - 1][0] - d[0][0]).sum();
        assert!((length - 18.0).abs() < 1e-9);
        assert_eq!(dashes[0].len(), 2);
    }
}
