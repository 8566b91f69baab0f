//! A long evolution with a few stored states takes a small part of the memory that all its steps take.

use crate::allocator::{alone, peak};
use pullback::evolution::{Evolution, Method};
use pullback::faer::Mat;
use pullback::models::{End, fields::Heat};
use pullback::{Cpu, Grid, Linearisation, Model, random};
use rayon::ThreadPoolBuilder;

const CELLS: usize = 30;

/// A bar in 10,000 steps, whose record may take so many bytes.
fn bar(bytes: usize) -> impl Model {
    let grid = Grid::new(&[(0.0, 1.0, CELLS)]).unwrap();
    let bar = Heat::new(&grid, vec![0.0; CELLS]).unwrap();
    let bar = bar.fixed(0, End::Lower, 1.0).unwrap();
    let model = Evolution::new(bar, vec![1.0]).unwrap();
    let model = model.method(Method::Theta(1.0)).every(1e-4).unwrap();
    model.memory(bytes)
}

#[test]
fn thirty_checkpoints_take_a_hundredth_of_all_steps() {
    let _alone = alone();
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let theta = random::normal(CELLS, 1, 0);
    let w = random::normal_matrix(CELLS, 1, 2);
    let adjoint = |bytes: usize| {
        let model = bar(bytes);
        let mut rho = vec![0.0; CELLS];
        model.solve(&theta, &mut rho, Cpu::shared()).unwrap();
        let sweep = || -> Mat<f64> {
            let z = Linearisation::new(&model, &rho, &theta, Cpu::shared()).unwrap();
            z.adjoint(w.as_ref()).unwrap()
        };
        pool.install(|| peak(sweep))
    };
    let (all, stored) = adjoint(1 << 30);
    // A checkpoint is a state and its slope.
    let (few, again) = adjoint(30 * 2 * 8 * CELLS);
    println!("all steps {all} bytes, 30 checkpoints {few} bytes");
    assert_eq!(stored, again);
    assert!(100 * few < all, "{few} and {all} bytes");
}
