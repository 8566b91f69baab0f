//! Diagonal blocks of groups of parameters.

use faer::Mat;

use super::checked::{check_dim, product, symmetric};
use super::error::Error;
use crate::check;
use crate::error::Result;
use crate::hessian::Curvature;
use crate::linalg::symmetric_eigen;
use crate::model::adjoint::blocks as batches;

/// Named group of parameters, such as a layer of a network or the parameters of one species.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name for tables and messages.
    pub name: String,
    /// Indices of the parameters.
    pub members: Vec<usize>,
}

impl Group {
    /// Creates a group.
    pub fn new(name: &str, members: impl IntoIterator<Item = usize>) -> Self {
        Self {
            name: name.to_string(),
            members: members.into_iter().collect(),
        }
    }

    fn check(&self, parameters: usize) -> Result<()> {
        let group = || self.name.clone();
        if self.members.is_empty() {
            return Err(Error::EmptyGroup { group: group() }.into());
        }
        let mut seen = vec![false; parameters];
        for &index in &self.members {
            let Some(seen) = seen.get_mut(index) else {
                let group = group();
                return Err(Error::OutsideGroup {
                    group,
                    index,
                    parameters,
                }
                .into());
            };
            if std::mem::replace(seen, true) {
                let group = group();
                return Err(Error::RepeatedInGroup { group, index }.into());
            }
        }
        Ok(())
    }
}

/// Diagonal block of a curvature.
#[derive(Clone, Debug)]
pub struct Block {
    /// Group of the rows and columns.
    pub group: Group,
    /// Entries of the curvature between members of the group, in their order.
    pub matrix: Mat<f64>,
}

impl Block {
    /// Returns the trace of the block.
    pub fn trace(&self) -> f64 {
        (0..self.matrix.nrows()).map(|i| self.matrix[(i, i)]).sum()
    }

    /// Returns the eigenvalues of the block, in decreasing order.
    pub fn eigenvalues(&self) -> Vec<f64> {
        symmetric_eigen(self.matrix.as_ref()).0
    }
}

/// Computes the diagonal blocks of a curvature for groups of parameters, by one product per member.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::{Group, blocks};
/// let h = Operator::triplets(3, 3, [(0, 0, 4.0), (0, 2, 1.0), (2, 0, 1.0), (1, 1, 3.0), (2, 2, 2.0)]);
/// let found = blocks(&h, &[Group::new("outer", [0, 2]), Group::new("inner", [1])])?;
/// assert_eq!((found[0].matrix[(0, 1)], found[0].trace(), found[1].trace()), (1.0, 6.0, 3.0));
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// Groups may overlap.
///
/// # Errors
/// Fails if there are no groups, if a group is empty, has an index that is no parameter or one twice, if a product fails or is
/// not finite, and if a block is not symmetric.
pub fn blocks(h: &dyn Curvature, groups: &[Group]) -> Result<Vec<Block>> {
    let dim = check_dim(h)?;
    let count = groups.len() as f64;
    let what = "the number of groups of parameters";
    check::option(what, count, !groups.is_empty(), "name at least one")?;
    groups.iter().try_for_each(|group| group.check(dim))?;
    groups.iter().map(|group| block(h, group)).collect()
}

fn block(h: &dyn Curvature, group: &Group) -> Result<Block> {
    let (members, dim) = (&group.members, h.dim());
    let mut matrix = Mat::zeros(members.len(), members.len());
    for columns in batches(members.len()) {
        let unit = |i: usize, j: usize| {
            if i == members[columns.start + j] {
                1.0
            } else {
                0.0
            }
        };
        let product = product(h, Mat::from_fn(dim, columns.len(), unit))?;
        for j in 0..columns.len() {
            for (row, &i) in members.iter().enumerate() {
                matrix[(row, columns.start + j)] = product[(i, j)];
            }
        }
    }
    Ok(Block {
        group: group.clone(),
        matrix: symmetric(&matrix)?,
    })
}
