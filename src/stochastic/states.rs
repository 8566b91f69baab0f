//! States of the items, from which their next solves start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// States at which the last visits of the items ended.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct States(BTreeMap<usize, Vec<f64>>);

impl States {
    /// Returns a guess of the state of a batch of items with states of these lengths. Where an item has not been visited, it is
    /// zero, which stands for none.
    pub(super) fn guess(&self, chosen: &[usize], lengths: &[usize]) -> Vec<f64> {
        let mut guess = Vec::with_capacity(lengths.iter().sum());
        for (item, length) in chosen.iter().zip(lengths) {
            match self.0.get(item).filter(|state| state.len() == *length) {
                Some(state) => guess.extend(state),
                None => guess.resize(guess.len() + length, 0.0),
            }
        }
        guess
    }

    /// Keeps the states of the items of a batch.
    pub(super) fn keep(&mut self, chosen: &[usize], lengths: &[usize], mut rho: &[f64]) {
        for (&item, &length) in chosen.iter().zip(lengths) {
            let (own, rest) = rho.split_at(length);
            self.0.insert(item, own.to_vec());
            rho = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_has_its_own_state() {
        let mut states = States::default();
        states.keep(&[1, 4], &[2, 1], &[1.0, 2.0, 3.0]);
        states.keep(&[2, 4], &[1, 1], &[4.0, 5.0]);
        let guess = states.guess(&[0, 1, 2, 4], &[2, 2, 1, 1]);
        assert_eq!(guess, [0.0, 0.0, 1.0, 2.0, 4.0, 5.0]);
        // A state of another length is none.
        assert_eq!(states.guess(&[1, 2], &[1, 1]), [0.0, 4.0]);
    }
}
