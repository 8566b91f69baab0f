//! Forms in which values without one of their own are stored.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Deserializer};

/// Names that were read, each once.
static NAMES: LazyLock<Mutex<HashSet<Name>>> = LazyLock::new(Mutex::default);

/// Name that is a constant of the program. Behind this alias, serde does not take it for a part of its input.
pub(crate) type Name = &'static str;

/// Reads a name, such as that of a metric or of a method.
//
// Names are constants of the program that saved them. Those of a resumed run live as long as the program too, and are few.
pub(crate) fn name<'de, D: Deserializer<'de>>(input: D) -> Result<Name, D::Error> {
    let text = String::deserialize(input)?;
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text.as_str()) {
        return Ok(known);
    }
    let kept: Name = Box::leak(text.into_boxed_str());
    names.insert(kept);
    Ok(kept)
}

/// Bytes in one piece.
pub(crate) mod bytes {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], output: S) -> Result<S::Ok, S::Error> {
        output.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        input.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = items.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

/// Dense matrices by columns.
pub(crate) mod columns {
    use std::borrow::Borrow;

    use faer::Mat;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Columns {
        rows: usize,
        columns: usize,
        entries: Vec<f64>,
    }

    pub(crate) fn serialize<S: Serializer>(
        matrix: &impl Borrow<Mat<f64>>,
        output: S,
    ) -> Result<S::Ok, S::Error> {
        let matrix: &Mat<f64> = matrix.borrow();
        let (rows, columns) = matrix.shape();
        let entries = (0..columns).flat_map(|j| matrix.col_as_slice(j).iter().copied());
        let entries = entries.collect();
        let form = Columns {
            rows,
            columns,
            entries,
        };
        form.serialize(output)
    }

    pub(crate) fn deserialize<'de, M: From<Mat<f64>>, D: Deserializer<'de>>(
        input: D,
    ) -> Result<M, D::Error> {
        let form = Columns::deserialize(input)?;
        let Columns { rows, columns, .. } = form;
        if rows.checked_mul(columns) != Some(form.entries.len()) {
            return Err(D::Error::custom("a matrix with another number of entries"));
        }
        let matrix = Mat::from_fn(rows, columns, |i, j| form.entries[j * rows + i]);
        Ok(matrix.into())
    }
}

/// Structures of sparse matrices.
pub(crate) mod structure {
    use std::sync::Arc;

    use faer::sparse::SymbolicSparseColMat;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Structure {
        rows: usize,
        columns: usize,
        starts: Vec<usize>,
        /// Number of entries of every column, for columns with gaps between them.
        counts: Option<Vec<usize>>,
        indices: Vec<usize>,
    }

    impl Structure {
        /// Returns whether the structure is that of a matrix.
        fn is_sound(&self) -> bool {
            let Self {
                starts, indices, ..
            } = self;
            let sized = self.starts.len() == self.columns + 1
                && starts[0] == 0
                && starts[self.columns] <= indices.len()
                && starts.is_sorted();
            let counted = |counts: &Vec<usize>| {
                counts.len() == self.columns
                    && (0..self.columns).all(|j| counts[j] <= starts[j + 1] - starts[j])
            };
            let inside = || indices.iter().all(|i| *i < self.rows);
            sized && self.counts.iter().all(counted) && inside()
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        structure: &Arc<SymbolicSparseColMat<usize>>,
        output: S,
    ) -> Result<S::Ok, S::Error> {
        let view = (**structure).as_ref();
        let form = Structure {
            rows: view.nrows(),
            columns: view.ncols(),
            starts: view.col_ptr().to_vec(),
            counts: view.col_nnz().map(<[usize]>::to_vec),
            indices: view.row_idx().to_vec(),
        };
        form.serialize(output)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Arc<SymbolicSparseColMat<usize>>, D::Error> {
        let form = Structure::deserialize(input)?;
        if !form.is_sound() {
            return Err(D::Error::custom(
                "a sparse matrix without a sound structure",
            ));
        }
        let Structure {
            rows,
            columns,
            starts,
            counts,
            indices,
        } = form;
        // The rows of a column may be in any order, as they may be in a matrix of a user.
        let structure =
            SymbolicSparseColMat::new_unsorted_checked(rows, columns, starts, counts, indices);
        Ok(Arc::new(structure))
    }
}
