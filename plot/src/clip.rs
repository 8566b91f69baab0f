//! Curves cut to the window, and dashes cut from curves.

use crate::layer::Point;

/// A rectangle in pixels, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// The rectangle about a point with half a width and half a height.
    pub(crate) fn about([x, y]: Point, across: f64, up: f64) -> Area {
        Area {
            left: x - across,
            top: y - up,
            right: x + across,
            bottom: y + up,
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

    /// Whether the point lies inside, edges included up to half a pixel.
    pub(crate) fn holds(&self, [x, y]: Point) -> bool {
        let near = 0.5;
        x >= self.left - near
            && x <= self.right + near
            && y >= self.top - near
            && y <= self.bottom + near
    }

    /// The part shared with another rectangle.
    pub(crate) fn meet(&self, other: &Area) -> Option<Area> {
        let area = Area {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (area.left < area.right && area.top < area.bottom).then_some(area)
    }

    /// The four corners in order.
    pub(crate) fn corners(&self) -> [Point; 4] {
        [
            [self.left, self.top],
            [self.right, self.top],
            [self.right, self.bottom],
            [self.left, self.bottom],
        ]
    }

    /// The part of a segment inside, as its two ends (Liang and Barsky: the segment is
    /// a + t(b − a), and each edge of the rectangle bounds t from below or above).
    pub(crate) fn cut(&self, a: Point, b: Point) -> Option<[Point; 2]> {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let bounds = [
            (-dx, a[0] - self.left),
            (dx, self.right - a[0]),
            (-dy, a[1] - self.top),
            (dy, self.bottom - a[1]),
        ];
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for (slope, room) in bounds {
            if slope < 0.0 {
                from = from.max(room / slope);
            } else if slope > 0.0 {
                to = to.min(room / slope);
            } else if room < 0.0 {
                return None;
            }
        }
        let at = |t: f64| [a[0] + t * dx, a[1] + t * dy];
        (from <= to).then(|| [at(from), at(to)])
    }
}

/// The visible pieces of a curve; it is broken where a point is missing or outside.
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

/// The part of a polygon inside a window (Sutherland and Hodgman: one edge after the other).
pub(crate) fn polygon_within(polygon: &[Point], window: &Area) -> Vec<Point> {
    // Each edge as (axis, bound, sign): a point is inside where sign · (coordinate − bound) ≥ 0.
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
            let (here, next) = (depth(a), depth(b));
            if here >= 0.0 {
                kept.push(*a);
            }
            if (here < 0.0) != (next < 0.0) {
                let t = here / (here - next);
                kept.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
            }
        }
        ring = kept;
    }
    ring
}

/// A curve cut into dashes of length `on` that are `off` apart.
pub(crate) fn dashes(curve: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<Point> = curve.first().copied().into_iter().collect();
    let (mut drawn, mut left) = (true, on);
    for pair in curve.windows(2) {
        let (mut a, b) = (pair[0], pair[1]);
        let mut length = (b[0] - a[0]).hypot(b[1] - a[1]);
        while length > left {
            let t = left / length;
            a = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            length -= left;
            dash.push(a);
            if drawn {
                dashes.push(std::mem::take(&mut dash));
            }
            drawn = !drawn;
            left = if drawn { on } else { off };
            dash = vec![a];
        }
        left -= length;
        dash.push(b);
    }
    if drawn && dash.len() > 1 {
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
