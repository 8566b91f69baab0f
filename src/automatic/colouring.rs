//! Columns of a Jacobian that one evaluation differentiates together.

/// Partition of the columns of a matrix into colours. No two columns of a colour have an entry in the same row, except in
/// rows that are set apart.
pub(super) struct Colouring {
    /// Colour of every column.
    pub(super) colour: Vec<usize>,
    /// Number of colours.
    pub(super) colours: usize,
}

/// Mark of a column without a colour, or of a stamp that no column has left.
const NONE: usize = usize::MAX;

/// Pattern by rows and by columns, without the rows that are set apart.
pub(super) struct Incidence<'a> {
    pub(super) rows: &'a [Vec<usize>],
    pub(super) columns: &'a [Vec<usize>],
    pub(super) set_apart: &'a [bool],
}

impl Incidence<'_> {
    /// Calls `visit` once for every other column that shares a row with column `j`.
    fn neighbours(&self, j: usize, stamp: &mut [usize], mut visit: impl FnMut(usize)) {
        stamp[j] = j;
        for &i in self.columns[j].iter().filter(|i| !self.set_apart[**i]) {
            for &l in &self.rows[i] {
                if std::mem::replace(&mut stamp[l], j) != j {
                    visit(l);
                }
            }
        }
    }

    /// Returns the columns in smallest-last order (Matula and Beck 1983).
    fn smallest_last(&self) -> Vec<usize> {
        // The column with the fewest neighbours among those left is removed, over and over, and comes last of those left. When
        // it is coloured, only the neighbours that were left with it have colours, and their number is as small as possible.
        let n = self.columns.len();
        let mut stamp = vec![NONE; n];
        let mut count = |j: usize| {
            let mut count = 0;
            self.neighbours(j, &mut stamp, |_| count += 1);
            count
        };
        let mut degree: Vec<usize> = (0..n).map(&mut count).collect();
        // Columns by degree. An entry whose degree is out of date is skipped when it is met.
        let mut buckets = vec![Vec::new(); degree.iter().max().map_or(0, |d| d + 1)];
        (0..n).for_each(|j| buckets[degree[j]].push(j));
        let (mut order, mut lowest) = (Vec::with_capacity(n), 0);
        stamp.fill(NONE);
        while order.len() < n {
            let Some(j) = buckets[lowest].pop() else {
                lowest += 1;
                continue;
            };
            if degree[j] != lowest {
                continue;
            }
            degree[j] = NONE;
            order.push(j);
            self.neighbours(j, &mut stamp, |l| {
                if degree[l] != NONE {
                    degree[l] -= 1;
                    buckets[degree[l]].push(l);
                    lowest = lowest.min(degree[l]);
                }
            });
        }
        order.reverse();
        order
    }

    /// Gives every column in turn the first colour that no neighbour has.
    fn greedy(&self, order: impl Iterator<Item = usize>) -> Colouring {
        let n = self.columns.len();
        let (mut colour, mut colours) = (vec![NONE; n], 0);
        let (mut stamp, mut taken) = (vec![NONE; n], Vec::new());
        for j in order {
            self.neighbours(j, &mut stamp, |l| {
                if colour[l] != NONE {
                    taken[colour[l]] = j;
                }
            });
            let free = taken.iter().position(|by| *by != j);
            let first = free.unwrap_or(taken.len());
            if first == taken.len() {
                taken.push(NONE);
            }
            colour[j] = first;
            colours = colours.max(first + 1);
        }
        Colouring { colour, colours }
    }

    /// Colours the columns with as few colours as the natural and the smallest-last order find.
    pub(super) fn colour(&self) -> Colouring {
        let natural = self.greedy(0..self.columns.len());
        // No colouring has fewer colours than the fullest row has entries.
        let rows = self.rows.iter().zip(self.set_apart);
        let fullest = rows.filter(|(_, apart)| !**apart).map(|(row, _)| row.len());
        if natural.colours <= fullest.max().unwrap_or(0).max(1) {
            return natural;
        }
        let ordered = self.greedy(self.smallest_last().into_iter());
        match ordered.colours < natural.colours {
            true => ordered,
            false => natural,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(rows: &[Vec<usize>], n: usize) -> usize {
        let mut columns = vec![Vec::new(); n];
        for (i, row) in rows.iter().enumerate() {
            row.iter().for_each(|&j| columns[j].push(i));
        }
        let set_apart = vec![false; rows.len()];
        let incidence = Incidence {
            rows,
            columns: &columns,
            set_apart: &set_apart,
        };
        let found = incidence.colour();
        for row in rows {
            let mut seen: Vec<usize> = row.iter().map(|&j| found.colour[j]).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), row.len(), "two columns of a row share a colour");
        }
        found.colours
    }

    #[test]
    fn known_patterns_take_few_colours() {
        let diagonal: Vec<Vec<usize>> = (0..9).map(|i| vec![i]).collect();
        assert_eq!(colours(&diagonal, 9), 1);
        let band: Vec<Vec<usize>> = (0..50)
            .map(|i| (i.max(1) - 1..(i + 2).min(50)).collect())
            .collect();
        assert_eq!(colours(&band, 50), 3);
        let full: Vec<Vec<usize>> = (0..7).map(|_| (0..7).collect()).collect();
        assert_eq!(colours(&full, 7), 7);
        assert_eq!(colours(&[], 4), 1);
        assert_eq!(colours(&[vec![], vec![2]], 3), 1);
    }

    /// Two species that react with each other and diffuse on a grid: five neighbours and the other species.
    #[test]
    fn a_reaction_of_two_species_in_the_plane_takes_at_most_eight_colours() {
        for n in [16, 33, 64] {
            let at = |x: usize, y: usize, s: usize| (x * n + y) * 2 + s;
            let mut rows = vec![Vec::new(); 2 * n * n];
            for (x, y, s) in (0..2 * n * n).map(|i| (i / 2 / n, i / 2 % n, i % 2)) {
                let row = &mut rows[at(x, y, s)];
                row.push(at(x, y, 1 - s));
                row.push(at(x, y, s));
                for (u, v) in [
                    (x.wrapping_sub(1), y),
                    (x + 1, y),
                    (x, y.wrapping_sub(1)),
                    (x, y + 1),
                ] {
                    if u < n && v < n {
                        row.push(at(u, v, s));
                    }
                }
                row.sort_unstable();
            }
            let found = colours(&rows, 2 * n * n);
            assert!(found <= 8, "{n}: {found}");
        }
    }
}
