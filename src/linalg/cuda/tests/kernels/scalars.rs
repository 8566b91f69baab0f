//! Tests of the scalar kernels of the iterations, including breakdowns and inactive or empty lanes.

use super::{Bench, Held, assert_same, device, in_double};
use crate::linalg::cpu::stencil::lanes::scale;
use crate::linalg::cuda::MAX_LANES;
use crate::linalg::cuda::passes::Scalar;
use crate::random;

const BREAKDOWN: f64 = 1e-12;

/// Scalars of one lane.
type Lane = [f64; Scalar::COUNT];

fn flag(truth: bool) -> f64 {
    f64::from(truth)
}

fn bicgstab_begin(s: &mut Lane) {
    let of = |scalar: Scalar| s[scalar as usize];
    let size = of(Scalar::Size);
    let sound = of(Scalar::Rho).abs() > BREAKDOWN * (of(Scalar::ShadowSize) * size);
    let fresh = of(Scalar::Active) != 0.0 && (of(Scalar::Fresh) != 0.0 || !sound);
    let rho = if fresh { size * size } else { of(Scalar::Rho) };
    let beta = rho / of(Scalar::Last) * (of(Scalar::Alpha) / of(Scalar::Omega));
    if fresh {
        s[Scalar::ShadowSize as usize] = size;
    }
    s[Scalar::Fresh as usize] = flag(fresh);
    s[Scalar::Rho as usize] = rho;
    s[Scalar::Last as usize] = rho;
    s[Scalar::Beta as usize] = beta;
    s[Scalar::Scale as usize] = scale(size);
}

fn bicgstab_aim(s: &mut Lane) {
    let of = |scalar: Scalar| s[scalar as usize];
    let along = of(Scalar::FirstSum);
    let seen = along.abs() > BREAKDOWN * of(Scalar::ShadowSize) * of(Scalar::SecondSum).sqrt();
    let moves = of(Scalar::Active) != 0.0 && seen;
    let alpha = if moves { of(Scalar::Rho) / along } else { 0.0 };
    s[Scalar::Blind as usize] = flag(!seen);
    s[Scalar::Alpha as usize] = alpha;
}

fn bicgstab_damp(s: &mut Lane) {
    let of = |scalar: Scalar| s[scalar as usize];
    let (along, square) = (of(Scalar::FirstSum), of(Scalar::SecondSum));
    let moves = of(Scalar::Active) != 0.0 && square > 0.0;
    s[Scalar::Omega as usize] = if moves { along / square } else { 0.0 };
}

fn bicgstab_end(s: &mut Lane) {
    s[Scalar::Size as usize] = s[Scalar::FirstSum as usize].sqrt();
    s[Scalar::Rho as usize] = s[Scalar::SecondSum as usize];
    let stuck = s[Scalar::Blind as usize] != 0.0 || s[Scalar::Omega as usize] == 0.0;
    s[Scalar::Fresh as usize] = flag(stuck);
}

fn gradients_begin(s: &mut Lane) {
    s[Scalar::Scale as usize] = scale(s[Scalar::Size as usize]);
}

fn gradients_turn(s: &mut Lane) {
    let of = |scalar: Scalar| s[scalar as usize];
    let rho = of(Scalar::Scale).recip() * of(Scalar::FirstSum);
    let anew = of(Scalar::Fresh) != 0.0 || of(Scalar::Active) == 0.0;
    let beta = if anew { 0.0 } else { rho / of(Scalar::Rho) };
    s[Scalar::Rho as usize] = rho;
    s[Scalar::Beta as usize] = beta;
}

fn gradients_aim(s: &mut Lane) {
    let along = s[Scalar::Rho as usize] / s[Scalar::FirstSum as usize];
    let active = s[Scalar::Active as usize] != 0.0;
    s[Scalar::Alpha as usize] = if active { along } else { 0.0 };
}

fn gradients_end(s: &mut Lane) {
    s[Scalar::Size as usize] = s[Scalar::FirstSum as usize].sqrt();
    s[Scalar::Fresh as usize] = 0.0;
}

/// Counterpart of a scalar kernel on the CPU, for one lane.
type Twin = fn(&mut Lane);

/// All scalar kernels with their counterparts.
const KERNELS: [(&str, Twin); 8] = [
    ("bicgstab_begin", bicgstab_begin),
    ("bicgstab_aim", bicgstab_aim),
    ("bicgstab_damp", bicgstab_damp),
    ("bicgstab_end", bicgstab_end),
    ("gradients_begin", gradients_begin),
    ("gradients_turn", gradients_turn),
    ("gradients_aim", gradients_aim),
    ("gradients_end", gradients_end),
];

/// Returns lanes in all typical and exceptional states, with numbers that depend on the round.
fn lanes(round: u64) -> Vec<Lane> {
    let lane = |l: usize| {
        let uniform = random::uniform(Scalar::COUNT, (0.1, 2.0), 100 * round + l as u64);
        let mut s: Lane = std::array::from_fn(|k| uniform[k]);
        let flags = l as u64 + round;
        s[Scalar::Active as usize] = flag(!flags.is_multiple_of(3));
        s[Scalar::Fresh as usize] = flag(flags.is_multiple_of(4));
        s[Scalar::Blind as usize] = flag(flags.is_multiple_of(5));
        match (flags * 7) % 13 {
            // A column of zeros.
            0 => s[3..].fill(0.0),
            // ⟨r̂, r⟩ zero, negligible, and small; later the same for ⟨r̂, v⟩.
            1 => s[Scalar::Rho as usize] = 0.0,
            2 => s[Scalar::Rho as usize] = -1e-13,
            3 => s[Scalar::Rho as usize] = -1e-9,
            4 => s[Scalar::FirstSum as usize] = 0.0,
            5 => s[Scalar::FirstSum as usize] = -1e-13,
            6 => s[Scalar::SecondSum as usize] = 0.0,
            7 => s[Scalar::Omega as usize] = 0.0,
            8 => s[Scalar::FirstSum as usize] = f64::NAN,
            9 => s[Scalar::Size as usize] = 1e-310,
            10 => s[Scalar::Size as usize] = 3e307,
            _ => {}
        }
        s
    };
    (0..MAX_LANES).map(lane).collect()
}

/// Transposes the scalars to the order of the device: all lanes of one scalar after another.
fn by_scalar(lanes: &[Lane]) -> Vec<f64> {
    let each = (0..Scalar::COUNT).flat_map(|k| lanes.iter().map(move |s| s[k]));
    each.collect()
}

fn check<const W: usize>(held: &Held) {
    for (kernel, counterpart) in KERNELS {
        for round in 0..13 {
            let bench = Bench::new(held, 3, W);
            let mut lanes = lanes(round);
            bench.set_scalars(&by_scalar(&lanes));
            bench.passes.scalar(kernel).unwrap();
            lanes[..W].iter_mut().for_each(counterpart);
            let place = format!("{kernel}, {W} lanes, round {round}");
            assert_same(&bench.all_scalars(), &by_scalar(&lanes), &place);
        }
    }
}

#[test]
fn scalars_of_the_iterations_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    in_double!(check(&held));
}

#[test]
fn lanes_that_are_done_move_by_nothing() {
    let Some(held) = device() else { return };
    let bench = Bench::new(&held, 3, 64);
    for round in 0..13 {
        let mut lanes = lanes(round);
        lanes
            .iter_mut()
            .for_each(|s| s[Scalar::Active as usize] = 0.0);
        for kernel in ["bicgstab_aim", "bicgstab_damp", "gradients_aim"] {
            bench.set_scalars(&by_scalar(&lanes));
            bench.passes.scalar(kernel).unwrap();
            let moved = if kernel == "bicgstab_damp" {
                Scalar::Omega
            } else {
                Scalar::Alpha
            };
            assert_eq!(bench.scalar::<64>(moved), [0.0; 64], "{kernel}");
        }
    }
}
