//! Tests of columns that stay on the device.

use faer::Mat;

use super::shared;
use crate::linalg::Remote;
use crate::linalg::cuda::resident::Resident;
use crate::linalg::operator::{Operator, Side};
use crate::random;

/// Numbers of rows below and above the number of threads of a block.
const ROWS: [usize; 4] = [1, 100, 257, 20_000];

fn assert_near(found: &Mat<f64>, expected: &Mat<f64>, (size, place): (f64, &str)) {
    assert_eq!(found.shape(), expected.shape(), "{place}");
    let off = (found - expected).norm_max();
    assert!(off <= 1e-14 * size, "{place}: off by {off:e}");
}

#[test]
fn resident_columns_are_replaced_and_fetched_one_by_one() {
    let Some(device) = shared() else { return };
    for rows in ROWS {
        let mut x = random::normal_matrix(rows, 5, 1);
        let resident = Resident::send(device, x.as_ref()).unwrap();
        let other = random::normal_matrix(rows, 2, 2);
        resident.put(other.as_ref(), &[3, 0]).unwrap();
        x.col_mut(3).copy_from(other.col(0));
        x.col_mut(0).copy_from(other.col(1));
        let some = resident.get(&[4, 3, 0]).unwrap();
        for (i, j) in [4, 3, 0].into_iter().enumerate() {
            assert_eq!(some.col(i), x.col(j), "{rows} rows, column {j}");
        }
        assert_eq!(Box::new(resident).fetch().unwrap(), x, "{rows} rows");
    }
}

#[test]
fn resident_columns_are_scaled_and_centred() {
    let Some(device) = shared() else { return };
    for rows in ROWS {
        let x = random::normal_matrix(rows, 5, 1);
        let weights = random::uniform(rows, (0.5, 3.0), 2);
        let mut resident = Resident::send(device, x.as_ref()).unwrap();
        resident.scale(-0.7).unwrap();
        let scaled = Mat::from_fn(rows, 5, |i, j| -0.7 * x[(i, j)]);
        assert_eq!(
            resident.get(&[0, 1, 2, 3, 4]).unwrap(),
            scaled,
            "{rows} rows"
        );
        resident.centre(&weights).unwrap();
        let total: f64 = weights.iter().sum();
        let mean = |j: usize| (0..rows).map(|i| weights[i] * scaled[(i, j)]).sum::<f64>() / total;
        let means: Vec<f64> = (0..5).map(mean).collect();
        let centred = Mat::from_fn(rows, 5, |i, j| scaled[(i, j)] - means[j]);
        let found = Box::new(resident).fetch().unwrap();
        assert_near(&found, &centred, (8.0, &format!("{rows} rows centred")));
    }
}

#[test]
fn resident_columns_are_multiplied_by_transposes_of_matrices() {
    let Some(device) = shared() else { return };
    for rows in ROWS {
        let x = random::normal_matrix(rows, 5, 1);
        let resident = Resident::send(device, x.as_ref()).unwrap();
        let entries = random::normal(3 * rows, 3, 0).into_iter().enumerate();
        let sparse = Operator::triplets(
            rows,
            7,
            entries.map(|(k, v)| (k / 3, (k * k + k / 3) % 7, v)),
        );
        for a in [Operator::dense(random::normal_matrix(rows, 3, 4)), sparse] {
            let found = resident
                .apply(&a, Side::Transpose)
                .unwrap()
                .unwrap()
                .fetch()
                .unwrap();
            let expected = a.apply(Side::Transpose, x.as_ref()).unwrap();
            let size = 10.0 * (rows as f64);
            assert_near(
                &found,
                &expected,
                (size, &format!("{rows} rows times {} columns", a.ncols())),
            );
            assert!(resident.apply(&a, Side::Plain).unwrap().is_none());
        }
    }
}
