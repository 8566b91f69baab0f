//! Phosphorylation of STAT5, with published data.

use crate::automatic::Scalar;
use crate::evolution::Dynamics;

/// Phosphorylation, import into the nucleus and export of the proteins STAT5A and STAT5B after a stimulus (Boehm, Adlung,
/// Schilling, Roth, Klingmüller and Lehmann 2014).
///
/// The hormone Epo decays and makes pairs of phosphorylated proteins AA, AB and BB out of A and B. Pairs enter the nucleus,
/// where they are dephosphorylated and leave as A and B. The state holds the concentrations
/// (A, B, AB, AA, BB, AA nuclear, AB nuclear, BB nuclear). Concentrations have the unit of the total, 207.6, and times are
/// minutes.
///
/// | θ | meaning |
/// |---|---|
/// | 0 | rate of decay of Epo |
/// | 1, 2 | rates of export: of AB; of AA and BB |
/// | 3, 4 | rates of import: of AB; of AA and BB |
/// | 5 | rate of phosphorylation for one unit of Epo |
/// | 6, 7, 8 | standard deviations of the errors of the three observables |
///
/// Observed are three percentages: the phosphorylated share of A, that of B, and the share of A in the total. Then follow the
/// standard deviations of their errors, θ₆ to θ₈. The rates of import of AA and BB make the equations stiff
/// ([`Method::Implicit`](crate::evolution::Method::Implicit)). All parameters are positive and are best estimated as
/// logarithms.
///
/// The model, the measurements and the best fit known are those of the collection of benchmark problems by Hass et al. (2019)
/// under the name Boehm_JProteomeRes2014.
///
/// ```
/// use pullback::evolution::{Evolution, Method};
/// use pullback::models::dynamics::JakStat;
/// let model = Evolution::new(JakStat, JakStat::TIMES.to_vec())?.method(Method::Implicit);
/// let seen = model.predict(&JakStat::BEST)?;
/// let pairs = seen.chunks_exact(6).zip(JakStat::MEASUREMENTS);
/// let errors = pairs.flat_map(|(y, data)| [0, 1, 2].map(|k| (data[k] - y[k]) / y[3 + k]));
/// // The best standard deviations are those of the errors: their squares add up to about the number of data.
/// let squares: f64 = errors.map(|e| e * e).sum();
/// assert!((squares / 48.0 - 1.0).abs() < 1e-3);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JakStat;

/// Total concentration of STAT5 at the start.
const TOTAL: f64 = 207.6;
/// Share of STAT5A in the total.
const SHARE_OF_A: f64 = 0.693;
/// Concentration of Epo at the start.
const EPO: f64 = 1.25e-7;
/// Share of single STAT5A and of pairs AA that the antibody catches. It catches the rest of one of single STAT5B and of BB.
const CAUGHT_A: f64 = 0.107;
/// Volume of the cytoplasm relative to that of the nucleus.
const VOLUMES: f64 = 1.4 / 0.45;

impl JakStat {
    /// Parameters of the best fit known. All were sought between 10⁻⁵ and 10⁵, and the first rate of export ends at its bound.
    pub const BEST: [f64; 9] = [
        0.026982514033029,
        1.00067973851508e-5,
        0.006170228086381,
        0.0163679184468,
        97749.3794024716,
        15766.5070195731,
        3.85261197844677,
        6.59147818673419,
        3.15271275648527,
    ];

    /// Logarithm of the likelihood of the best fit known, with normally distributed errors.
    pub const BEST_LOG_LIKELIHOOD: f64 = -138.22199760826;

    /// Names of the parameters.
    pub const NAMES: [&str; 9] = [
        "Epo decay",
        "export AB",
        "export AA, BB",
        "import AB",
        "import AA, BB",
        "phosphorylation",
        "σ of pA",
        "σ of pB",
        "σ of A",
    ];

    /// Times of the measurements, in minutes.
    pub const TIMES: [f64; 16] = [
        0.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0, 160.0, 200.0,
        240.0,
    ];

    /// Measurements at every time, in percent: phosphorylated share of STAT5A, that of STAT5B, and share of STAT5A.
    pub const MEASUREMENTS: [[f64; 3]; 16] = [
        [7.90107299873911, 4.59653334288927, 14.7231682180584],
        [66.3634939682528, 29.6345459874189, 33.762342293107],
        [81.1713239165337, 46.0438064695701, 36.7998512942493],
        [94.7303080627876, 81.9747336191685, 49.7176022859654],
        [95.1164830493244, 80.5716092952489, 46.9281200952955],
        [91.44171655392, 79.0357196371442, 47.8365745550135],
        [91.2570992263545, 75.6723803658298, 46.9287272497385],
        [93.672297840992, 71.6247198618303, 40.5977529351181],
        [88.754232823019, 69.0628632755742, 43.783663885071],
        [85.2697032178279, 67.1473843168934, 44.4573876523855],
        [81.1323953369608, 60.8994762938824, 41.3271592618297],
        [76.135928475796, 54.8092577721492, 41.0627332148332],
        [65.2480591250229, 43.9812899778025, 39.2358300289377],
        [42.5996587097166, 29.7714581636675, 36.6194605442418],
        [25.1577975445976, 20.089016562771, 34.8937144010561],
        [15.4301823994994, 10.961845166698, 32.2110771608676],
    ];
}

impl Dynamics for JakStat {
    fn dims(&self) -> (usize, usize) {
        (8, 9)
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let ([a, b, ab, aa, bb], nuclear) = ([x[0], x[1], x[2], x[3], x[4]], &x[5..]);
        let [export_ab, export, import_ab, import] = [theta[1], theta[2], theta[3], theta[4]];
        let phosphorylation = theta[5] * (-theta[0] * t).exp() * EPO;
        // Rates at which the pairs AA, AB and BB form, enter the nucleus and leave it, in concentrations of the cytoplasm, of
        // the cytoplasm and of the nucleus. What enters is diluted in another volume.
        let formed = [a * a, a * b, b * b].map(|pairs| phosphorylation * pairs);
        let entering = [import * aa, import_ab * ab, import * bb];
        let leaving = [
            export * nuclear[0],
            export_ab * nuclear[1],
            export * nuclear[2],
        ];
        let change: [S; 3] = std::array::from_fn(|k| leaving[k] / VOLUMES - formed[k]);
        out[0] = change[0] * 2.0 + change[1];
        out[1] = change[2] * 2.0 + change[1];
        for (k, cytoplasm) in [3, 2, 4].into_iter().enumerate() {
            out[cytoplasm] = formed[k] - entering[k];
            out[5 + k] = entering[k] * VOLUMES - leaving[k];
        }
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        out[0] = S::from(TOTAL * SHARE_OF_A);
        out[1] = S::from(TOTAL - TOTAL * SHARE_OF_A);
    }

    fn outputs(&self) -> usize {
        6
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        // The antibody prefers B, and catches all pairs AB.
        let (caught_a, caught_b) = (CAUGHT_A, 1.0 - CAUGHT_A);
        let (a, b, ab) = (x[0] * caught_a, x[1] * caught_b, x[2]);
        let (aa, bb) = (x[3] * (2.0 * caught_a), x[4] * (2.0 * caught_b));
        let (all_a, all_b) = (a + aa + ab, b + bb + ab);
        out[0] = (aa + ab) / all_a * 100.0;
        out[1] = (bb + ab) / all_b * 100.0;
        out[2] = all_a / (all_a + all_b) * 100.0;
        out[3..].copy_from_slice(&theta[6..]);
    }
}
