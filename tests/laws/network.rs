//! Networks and softmax losses: derivatives against differences and against automatic differentiation, and Fisher's information.

use crate::support::{column, dot, gap, matrix_gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{Curvature, Kind, blocks};
use pullback::direction::{Information, Kfac, LeastSquares};
use pullback::faer::Mat;
use pullback::loss::{Fisher, Observations, Predictive, Scores, Softmax};
use pullback::models::{Activation, Network};
use pullback::{
    Backend, Cpu, Descent, Direction, Linearisation, Loss, Model, Noise, random, verify,
};

const ALL: [Activation; 3] = [Activation::Tanh, Activation::Relu, Activation::Softplus];

/// Network with three inputs, two hidden layers and four outputs, at more samples than a block has.
fn network(activation: Activation, samples: usize) -> Network {
    let inputs = random::normal_matrix(3, samples, 1);
    Network::new(&inputs, &[5, 6, 4], activation).unwrap()
}

/// Weights and biases, none of them zero.
fn weights(network: &Network, seed: u64) -> Vec<f64> {
    let mut theta = network.initial(seed);
    let shift = random::normal(theta.len(), seed, 99);
    theta
        .iter_mut()
        .zip(&shift)
        .for_each(|(t, s)| *t += 0.1 * s);
    theta
}

fn labels(samples: usize, classes: usize, seed: u64) -> Vec<usize> {
    let x = random::uniform(samples, (0.0, classes as f64), seed);
    x.iter().map(|x| *x as usize).collect()
}

#[test]
fn a_network_passes_all_checks_of_a_model() {
    for activation in ALL {
        let network = network(activation, 150);
        let checks = verify::model(&network, &weights(&network, 2), 3).unwrap();
        assert!(checks.passed(), "{activation:?}\n{checks}");
    }
    let scaled = network(Activation::Tanh, 150).output_scales(&[1e-3, 1.0, -20.0, 3.0]);
    let checks = verify::model(
        &scaled.unwrap(),
        &weights(&network(Activation::Tanh, 1), 2),
        3,
    );
    assert!(checks.as_ref().unwrap().passed(), "{}", checks.unwrap());
}

/// The same network by scalars, differentiated automatically.
struct ByScalars {
    inputs: Mat<f64>,
    widths: Vec<usize>,
    activation: Activation,
}

impl Formula for ByScalars {
    fn dims(&self) -> (usize, usize) {
        let (mut inputs, mut p) = (self.inputs.nrows(), 0);
        for width in &self.widths {
            p += width * (inputs + 1);
            inputs = *width;
        }
        (inputs * self.inputs.ncols(), p)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let last = self.widths.len() - 1;
        for n in 0..self.inputs.ncols() {
            let mut a: Vec<S> = self.inputs.col(n).iter().map(|x| S::from(*x)).collect();
            let mut start = 0;
            for (l, &width) in self.widths.iter().enumerate() {
                let z = (0..width).map(|i| {
                    let mut z = theta[start + width * a.len() + i];
                    for (j, a) in a.iter().enumerate() {
                        z += theta[start + width * j + i] * *a;
                    }
                    match self.activation {
                        _ if l == last => z,
                        Activation::Tanh => z.tanh(),
                        Activation::Relu => z.max(S::from(0.0)),
                        Activation::Softplus => (z.exp() + 1.0).ln(),
                    }
                });
                let z: Vec<S> = z.collect();
                start += width * (a.len() + 1);
                a = z;
            }
            out[n * a.len()..(n + 1) * a.len()].copy_from_slice(&a);
        }
    }
}

#[test]
fn passes_by_hand_agree_with_automatic_differentiation() {
    let cpu = Cpu::default();
    for activation in ALL {
        // Three blocks of samples.
        let network = network(activation, 300);
        let theta = weights(&network, 4);
        let curve = Curve::new(ByScalars {
            inputs: random::normal_matrix(3, 300, 1),
            widths: vec![5, 6, 4],
            activation,
        });
        let rho = network.predict(&theta).unwrap();
        assert!(gap(&rho, &curve.predict(&theta).unwrap()) < 1e-14);
        let models: [&dyn Model; 2] = [&network, &curve];
        let [ours, automatic] = models.map(|m| Linearisation::new(m, &rho, &theta, &cpu).unwrap());
        let v = random::normal_matrix(theta.len(), 3, 5);
        let w = random::normal_matrix(rho.len(), 3, 6);
        let products = |z: &Linearisation<'_>| {
            let curved = z.curvature(w.col_as_slice(0)).unwrap().unwrap();
            [
                z.tangent(v.as_ref()).unwrap(),
                z.adjoint(w.as_ref()).unwrap(),
                curved.product(v.as_ref()).unwrap(),
            ]
        };
        for (a, b) in products(&ours).iter().zip(&products(&automatic)) {
            let off = matrix_gap(a.as_ref(), b.as_ref());
            assert!(off < 1e-13, "{activation:?}: {off:e}");
        }
        let z = ours.matrix().unwrap();
        let off = matrix_gap((z * &v).as_ref(), products(&ours)[0].as_ref());
        assert!(off < 1e-13, "{activation:?}: {off:e}");
    }
}

#[test]
fn tangents_are_the_limits_of_differences_with_their_order() {
    for activation in [Activation::Tanh, Activation::Softplus] {
        let network = network(activation, 40);
        let (theta, cpu) = (weights(&network, 7), Cpu::default());
        let v = random::normal(theta.len(), 8, 0);
        let rho = network.predict(&theta).unwrap();
        let z = Linearisation::new(&network, &rho, &theta, &cpu).unwrap();
        let tangent = z.tangent(column(&v)).unwrap();
        let off = |h: f64| {
            let at = |h: f64| {
                let moved: Vec<f64> = theta.iter().zip(&v).map(|(t, v)| t + h * v).collect();
                network.predict(&moved).unwrap()
            };
            let (above, below) = (at(h), at(-h));
            let quotient = above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * h));
            gap(&quotient.collect::<Vec<_>>(), tangent.col_as_slice(0))
        };
        let order = (off(1e-2) / off(1e-3)).log10();
        assert!((order - 2.0).abs() < 0.1, "{activation:?}: {order}");
        assert!(off(1e-5) < 1e-9, "{activation:?}: {:e}", off(1e-5));
    }
}

#[test]
fn a_softmax_loss_passes_all_checks() {
    let loss = Softmax::new(4, labels(6, 4, 1)).unwrap();
    for loss in [
        loss.clone(),
        loss.clone().mean(),
        loss.weighted(7.0).unwrap(),
    ] {
        let rho = random::normal(24, 2, 0);
        let checks = verify::loss(&loss, &rho, 3).unwrap();
        assert!(checks.passed(), "{checks}");
        let metric = loss.metric().unwrap();
        let checks = verify::metric(&*metric, &rho, 4).unwrap();
        assert!(checks.passed(), "{checks}");
    }
}

#[test]
fn sizes_of_logits_do_not_matter() {
    // −ln p of the label 0 among logits 0, −g is ln(1 + e^{−g}), and for large g e^{−g}.
    let loss = Softmax::new(2, vec![0]).unwrap();
    for shift in [0.0, -512.0, 1e15] {
        let value = loss.value(&[shift, shift - 32.0]);
        assert!((value / (-32.0_f64).exp() - 1.0).abs() < 1e-12, "{value:e}");
        let mut slope = [0.0; 2];
        loss.gradient(&[shift, shift - 32.0], &mut slope);
        assert_eq!(slope[0], -slope[1]);
        assert!((slope[1] / (-32.0_f64).exp() - 1.0).abs() < 1e-12);
    }
    assert_eq!(loss.value(&[0.0, 1e6]), 1e6);
    let root = loss.information(&[0.0, 700.0], Scores::Expected).unwrap();
    let mut slope = [0.0; 2];
    loss.gradient(&[0.0, 700.0], &mut slope);
    let lowered = root.lower(column(&root.dual(&slope).unwrap())).unwrap();
    assert!(gap(lowered.col_as_slice(0), &slope) < 1e-12);
}

/// Loss of a network with three inputs at 30 samples, and its weights.
fn classification() -> (Network, Softmax, Vec<f64>) {
    let network = network(Activation::Tanh, 30);
    let theta = weights(&network, 5);
    (network, Softmax::new(4, labels(30, 4, 6)).unwrap(), theta)
}

fn whole(descent: &Descent<'_>, theta: &[f64], kind: Kind) -> Mat<f64> {
    let identity = Mat::<f64>::identity(theta.len(), theta.len());
    let product = |h: &dyn Curvature| h.product(identity.as_ref());
    descent.curvature(theta, kind, product).unwrap()
}

#[test]
fn fisher_of_labels_is_the_gauss_newton_hessian() {
    let (network, loss, theta) = classification();
    let descent = Descent::new(&network, &loss);
    let information = whole(&descent, &theta, Kind::Information);
    let rho = network.predict(&theta).unwrap();
    let cpu = Cpu::default();
    let z = Linearisation::new(&network, &rho, &theta, &cpu).unwrap();
    let z = z.matrix().unwrap();
    // f″ by its definition, entry by entry.
    let second = |i: usize, j: usize| {
        let (n, logits) = (i / 4, &rho[i / 4 * 4..][..4]);
        let p = |c: usize| logits[c].exp() / logits.iter().map(|x| x.exp()).sum::<f64>();
        match j / 4 == n {
            true => p(i % 4) * (f64::from(u8::from(i == j)) - p(j % 4)),
            false => 0.0,
        }
    };
    let hessian = Mat::from_fn(rho.len(), rho.len(), second);
    let off = matrix_gap(information.as_ref(), (z.transpose() * hessian * z).as_ref());
    assert!(off < 1e-13, "{off:e}");
    // The exact Hessian adds the curvature of the network, which vanishes on average over the labels of the model only.
    let exact = whole(&descent, &theta, Kind::Exact);
    assert!(matrix_gap(information.as_ref(), exact.as_ref()) > 1e-2);
    let groups = network.layers();
    let found = descent
        .curvature(&theta, Kind::Information, |g| blocks(g, &groups))
        .unwrap();
    // Every block is a submatrix.
    for (block, group) in found.iter().zip(&groups) {
        let members = &group.members;
        let own = Mat::from_fn(members.len(), members.len(), |i, j| {
            information[(members[i], members[j])]
        });
        let off = matrix_gap(block.matrix.as_ref(), own.as_ref());
        assert!(off < 1e-14, "{}: {off:e}", group.name);
    }
    assert_eq!(
        groups.iter().map(|g| g.members.len()).sum::<usize>(),
        theta.len()
    );
}

#[test]
fn the_sampled_information_of_labels_converges_with_the_root_of_the_draws() {
    let (network, loss, theta) = classification();
    let exact = whole(&Descent::new(&network, &loss), &theta, Kind::Information);
    let error = |draws| {
        let squares = (0..20).map(|seed| {
            let fisher = Fisher::sampled(&loss, draws, seed).unwrap();
            let descent = Descent::new(&network, &loss).metric(&fisher);
            let off = whole(&descent, &theta, Kind::Information) - &exact;
            off.squared_norm_l2() / exact.squared_norm_l2()
        });
        (squares.sum::<f64>() / 20.0).sqrt()
    };
    let errors = [1, 10, 100].map(error);
    let slope = (errors[2] / errors[0]).log10() / 2.0;
    assert!((slope + 0.5).abs() < 0.1, "{errors:?}: {slope}");
}

#[test]
fn the_empirical_information_of_labels_sums_the_squares_of_gradients() {
    let (network, loss, theta) = classification();
    let fisher = Fisher::empirical(&loss);
    let found = whole(
        &Descent::new(&network, &loss).metric(&fisher),
        &theta,
        Kind::Information,
    );
    let mut sum = Mat::zeros(theta.len(), theta.len());
    for n in 0..30 {
        let one = network.subset(&[n]).unwrap();
        let own = Softmax::new(4, vec![loss.labels()[n]]).unwrap();
        let g = Descent::new(&one, &own).gradient(&theta).unwrap().gradient;
        sum += column(&g) * column(&g).transpose();
    }
    let off = matrix_gap(found.as_ref(), sum.as_ref());
    assert!(off < 1e-13, "{off:e}");
}

#[test]
fn directions_agree_with_the_fisher_information_of_labels() {
    let (network, loss, theta) = classification();
    let [rows, matrix] = [0, 1].map(|which| {
        let directions: [&dyn Direction; 2] = [&LeastSquares::default(), &Information::default()];
        let descent = Descent::new(&network, &loss).direction(directions[which]);
        descent.propose(&theta, 1e-3).unwrap().eta
    });
    assert!(gap(&rows, &matrix) < 1e-9, "{:e}", gap(&rows, &matrix));
}

#[test]
fn one_linear_layer_has_an_exact_kronecker_factorisation_for_one_sample() {
    // For one sample G is a aᵀ ⊗ M exactly, and with the identity as M one draw of signs has the mean square of the factor.
    let inputs = random::normal_matrix(3, 1, 1);
    let network = Network::new(&inputs, &[1], Activation::Tanh).unwrap();
    let loss = Observations::present(&[2.0], &Noise::uniform(1, 0.5).unwrap()).unwrap();
    let kfac = Kfac {
        damping: 1e-2,
        ..Kfac::default()
    };
    let theta = random::normal(4, 3, 0);
    let descent = Descent::new(&network, &loss);
    let by_factors = Descent::new(&network, &loss).direction(&kfac);
    let found = by_factors.propose(&theta, 0.0).unwrap();
    // A and B are damped by π√λ and √λ/π. The direction is a multiple of the gradient, whose best length is known.
    let g = whole(&descent, &theta, Kind::Information);
    let gradient = descent.gradient(&theta).unwrap().gradient;
    let curved = &g * column(&gradient);
    let bend = dot(&gradient, curved.col_as_slice(0)) + 1e-2 * dot(&gradient, &gradient);
    let alpha = dot(&gradient, &gradient) / bend;
    let eta: Vec<f64> = gradient.iter().map(|x| -alpha * x).collect();
    assert!(gap(&found.eta, &eta) < 1e-12, "{:e}", gap(&found.eta, &eta));
}

#[test]
fn kronecker_factors_are_those_of_their_definition() {
    let (network, loss, theta) = classification();
    let rho = network.predict(&theta).unwrap();
    let cpu = Cpu::default();
    let z = Linearisation::new(&network, &rho, &theta, &cpu as &dyn Backend).unwrap();
    let w = random::normal_matrix(rho.len(), 2, 9);
    let factors = z.kronecker(w.as_ref()).unwrap().unwrap();
    // The gradient of a layer for one sample alone is δ aᵀ, from which both follow up to a factor; their products do not depend on it.
    let layer = 1;
    let (range, outputs, inputs) = (factors[layer].range.clone(), 6, 6);
    let mut sum = Mat::<f64>::zeros(outputs, outputs);
    let mut mean = 0.0;
    for n in 0..30 {
        let one = network.subset(&[n]).unwrap();
        let own = &rho[4 * n..4 * n + 4];
        let z = Linearisation::new(&one, own, &theta, &cpu as &dyn Backend).unwrap();
        for j in 0..2 {
            let covector = &w.col_as_slice(j)[4 * n..4 * n + 4];
            let gradient = z.pull_back(covector).unwrap();
            // The last input is 1, so that the last column is δ.
            let delta = &gradient[range.clone()][outputs * (inputs - 1)..];
            sum += 0.5 * (column(delta) * column(delta).transpose());
            let first = gradient[range.start] / delta[0];
            mean += first * first / 60.0;
        }
    }
    let off = matrix_gap(factors[layer].left.as_ref(), sum.as_ref());
    assert!(off < 1e-12, "{off:e}");
    assert!((factors[layer].right[(0, 0)] - mean).abs() < 1e-12 * mean);
    assert!(loss.labels().len() == 30);
}
