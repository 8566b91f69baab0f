//! A metric of several states is the metric of every one.

use crate::support::{column, density, gap, grids};
use pullback::metric::{Blocks, Each, FisherRao, Wasserstein2};
use pullback::{Cpu, Metric, random, verify};

#[test]
fn blocks_are_the_metric_of_every_state() {
    let cpu = Cpu::default();
    for grid in grids() {
        let (k, count) = (grid.cells(), 3);
        let states: Vec<Vec<f64>> = (0..count).map(|seed| density(&grid, seed)).collect();
        let metrics: [Box<dyn Metric>; 2] = [
            Box::new(FisherRao::new(&grid)),
            Box::new(Wasserstein2::new(&grid)),
        ];
        for single in &metrics {
            let rho = states.concat();
            let blocks = Blocks::new(&**single, count as usize);
            let root = blocks.at(&rho, &cpu).unwrap();
            assert_eq!(root.dim(), rho.len());
            let z = random::normal(rho.len(), 1, 0);
            let mut c = random::normal(rho.len(), 2, 0);
            let y = random::normal(root.lifted_dim(), 3, 0);
            let mut found = [
                root.lift(column(&z)).unwrap().col_as_slice(0).to_vec(),
                root.apply(column(&z)).unwrap().col_as_slice(0).to_vec(),
                root.lower(column(&y)).unwrap().col_as_slice(0).to_vec(),
                Vec::new(),
                Vec::new(),
            ];
            let mut exact: [Vec<f64>; 5] = Default::default();
            let lifted = root.lifted_dim() / states.len();
            for (i, state) in states.iter().enumerate() {
                let root = single.at(state, &cpu).unwrap();
                let cells = i * k..(i + 1) * k;
                let z = column(&z[cells.clone()]);
                let y = column(&y[i * lifted..(i + 1) * lifted]);
                exact[0].extend_from_slice(root.lift(z).unwrap().col_as_slice(0));
                exact[1].extend_from_slice(root.apply(z).unwrap().col_as_slice(0));
                exact[2].extend_from_slice(root.lower(y).unwrap().col_as_slice(0));
                let mut c = c[cells].to_vec();
                root.project(&mut c);
                exact[3].extend_from_slice(&c);
                exact[4].extend(root.dual(&c).unwrap());
            }
            root.project(&mut c);
            found[4] = root.dual(&c).unwrap();
            found[3] = c;
            for (found, exact) in found.iter().zip(&exact) {
                assert!(gap(found, exact) < 1e-14, "{}", single.name());
            }
        }
    }
}

#[test]
fn each_state_has_its_own_metric() {
    let cpu = Cpu::default();
    for grid in grids() {
        let k = grid.cells();
        let rho = [density(&grid, 1), density(&grid, 2)].concat();
        let singles = || -> Vec<Box<dyn Metric>> {
            vec![
                Box::new(FisherRao::new(&grid)),
                Box::new(Wasserstein2::new(&grid)),
            ]
        };
        let each = Each::new(singles());
        let checks = verify::metric(&each, &rho, 1).unwrap();
        assert!(checks.passed(), "{checks}");
        let z = random::normal(rho.len(), 4, 0);
        let root = each.at(&rho, &cpu).unwrap();
        let found = root.apply(column(&z)).unwrap();
        for (i, single) in singles().iter().enumerate() {
            let cells = i * k..(i + 1) * k;
            let root = single.at(&rho[cells.clone()], &cpu).unwrap();
            let exact = root.apply(column(&z[cells.clone()])).unwrap();
            let found = &found.col_as_slice(0)[cells];
            assert!(
                gap(found, exact.col_as_slice(0)) < 1e-14,
                "{}",
                single.name()
            );
        }
        // The order counts.
        let exchanged = Each::new(singles().into_iter().rev().collect());
        let root = exchanged.at(&rho, &cpu).unwrap();
        assert!(root.apply(column(&z)).unwrap() != found);
    }
}
