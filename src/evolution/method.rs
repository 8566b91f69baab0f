//! Runge-Kutta methods whose implicit stages have their own slope alone.

/// Method of the time steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Explicit method of order 5 with an estimate of order 4 (Dormand and Prince 1980), for rates that are not stiff.
    #[default]
    Explicit,
    /// Diagonally implicit method of order 4 with an estimate of order 3, ARK4(3)6L\[2\]SA (Kennedy and Carpenter 2003), for stiff
    /// rates.
    Implicit,
}

impl Method {
    pub(super) fn tableau(self) -> &'static Tableau {
        match self {
            Self::Explicit => &DORMAND_PRINCE,
            Self::Implicit => &KENNEDY_CARPENTER,
        }
    }
}

/// Coefficients of a method with s stages Yᵢ = x + h Σⱼ aᵢⱼ Kⱼ, Kᵢ = f(t + cᵢh, Yᵢ).
///
/// The first stage is explicit, and the last is the step itself: x₊ = Yₛ, and Kₛ is the first slope of the next step.
pub(super) struct Tableau {
    /// Rows of aᵢⱼ up to the diagonal. A row that ends before the diagonal belongs to an explicit stage.
    pub(super) a: &'static [&'static [f64]],
    pub(super) c: &'static [f64],
    /// Weights of the estimate of lower order.
    lower: &'static [f64],
    /// Order of the method, and power of h in the error that the estimate shows.
    pub(super) order: i32,
}

impl Tableau {
    /// Number of stages.
    pub(super) fn stages(&self) -> usize {
        self.a.len()
    }

    /// Weights of the slopes in the step, without those that are 0 at the end.
    pub(super) fn weights(&self) -> &'static [f64] {
        self.a[self.a.len() - 1]
    }

    /// Weight of a stage in the step.
    pub(super) fn weight(&self, stage: usize) -> f64 {
        self.weights().get(stage).copied().unwrap_or(0.0)
    }

    /// Weight of a stage in the estimated error of the step.
    pub(super) fn error(&self, stage: usize) -> f64 {
        self.weight(stage) - self.lower[stage]
    }

    /// Diagonal coefficient of a stage, 0 if it is explicit.
    pub(super) fn diagonal(&self, stage: usize) -> f64 {
        self.a[stage].get(stage).copied().unwrap_or(0.0)
    }

    /// Coefficients of the earlier slopes in a stage.
    pub(super) fn earlier(&self, stage: usize) -> &'static [f64] {
        let row = self.a[stage];
        &row[..row.len().min(stage)]
    }

    pub(super) fn is_implicit(&self) -> bool {
        (0..self.stages()).any(|stage| self.diagonal(stage) != 0.0)
    }
}

#[rustfmt::skip]
const DORMAND_PRINCE: Tableau = Tableau {
    a: &[
        &[],
        &[1.0 / 5.0],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    c: &[0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0],
    lower: &[
        5179.0 / 57600.0, 0.0, 7571.0 / 16695.0, 393.0 / 640.0, -92097.0 / 339_200.0, 187.0 / 2100.0, 1.0 / 40.0,
    ],
    order: 5,
};

#[rustfmt::skip]
const KENNEDY_CARPENTER: Tableau = Tableau {
    a: &[
        &[],
        &[1.0 / 4.0, 1.0 / 4.0],
        &[8611.0 / 62500.0, -1743.0 / 31250.0, 1.0 / 4.0],
        &[5_012_029.0 / 34_652_500.0, -654_441.0 / 2_922_500.0, 174_375.0 / 388_108.0, 1.0 / 4.0],
        &[
            15_267_082_809.0 / 155_376_265_600.0, -71_443_401.0 / 120_774_400.0, 730_878_875.0 / 902_184_768.0,
            2_285_395.0 / 8_070_912.0, 1.0 / 4.0,
        ],
        &[
            82889.0 / 524_892.0, 0.0, 15625.0 / 83664.0, 69875.0 / 102_672.0, -2260.0 / 8211.0, 1.0 / 4.0,
        ],
    ],
    c: &[0.0, 1.0 / 2.0, 83.0 / 250.0, 31.0 / 50.0, 17.0 / 20.0, 1.0],
    lower: &[
        4_586_570_599.0 / 29_645_900_160.0, 0.0, 178_811_875.0 / 945_068_544.0, 814_220_225.0 / 1_159_782_912.0,
        -3_700_637.0 / 11_593_932.0, 61727.0 / 225_920.0,
    ],
    order: 4,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Sum over stages of weights times the values of a function of the stage.
    fn sum(s: usize, term: impl Fn(usize) -> f64) -> f64 {
        (0..s).map(term).sum()
    }

    /// Order of a tree, its density, and its value at a stage.
    type Condition<'a> = (i32, f64, &'a dyn Fn(usize) -> f64);

    /// Every tree of order up to 4, and four of order 5, with its density, by nested sums over aᵢⱼ.
    fn conditions(t: &Tableau, weight: &dyn Fn(usize) -> f64, order: i32) -> Vec<f64> {
        let s = t.stages();
        let a = |i: usize, j: usize| t.a[i].get(j).copied().unwrap_or(0.0);
        let c = |i: usize| t.c[i];
        let ac = |i: usize, power: i32| sum(s, |j| a(i, j) * c(j).powi(power));
        let aac = |i: usize| sum(s, |j| a(i, j) * ac(j, 1));
        let all: [Condition<'_>; 12] = [
            (1, 1.0, &|_| 1.0),
            (2, 2.0, &|i| c(i)),
            (3, 3.0, &|i| c(i).powi(2)),
            (3, 6.0, &|i| ac(i, 1)),
            (4, 4.0, &|i| c(i).powi(3)),
            (4, 8.0, &|i| c(i) * ac(i, 1)),
            (4, 12.0, &|i| ac(i, 2)),
            (4, 24.0, &|i| aac(i)),
            (5, 5.0, &|i| c(i).powi(4)),
            (5, 20.0, &|i| ac(i, 3)),
            (5, 20.0, &|i| ac(i, 1).powi(2)),
            (5, 120.0, &|i| sum(s, |j| a(i, j) * aac(j))),
        ];
        let wanted = all.into_iter().filter(|(o, ..)| *o <= order);
        wanted
            .map(|(_, density, value)| sum(s, |i| weight(i) * value(i)) - density.recip())
            .collect()
    }

    #[test]
    fn coefficients_satisfy_the_conditions_of_their_order() {
        for t in [&DORMAND_PRINCE, &KENNEDY_CARPENTER] {
            for i in 0..t.stages() {
                assert!(
                    (t.a[i].iter().sum::<f64>() - t.c[i]).abs() < 1e-15,
                    "row {i}"
                );
            }
            let step = conditions(t, &|i| t.weight(i), t.order);
            let lower = conditions(t, &|i| t.lower[i], t.order - 1);
            for gap in step.into_iter().chain(lower) {
                assert!(gap.abs() < 1e-15, "order {}: {gap:.1e}", t.order);
            }
            // The estimate would be no estimate if it had the order of the step.
            let same = conditions(t, &|i| t.lower[i], t.order);
            assert!(same.iter().any(|gap| gap.abs() > 1e-6));
        }
    }
}
