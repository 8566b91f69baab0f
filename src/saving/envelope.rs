//! Format of saved runs: a header with magic word, version, length and checksum, and a content in MessagePack.
//!
//! ```text
//! bytes   0-15   magic word of the kind of run
//!        16-19   version of the format, little-endian
//!        20-27   length of the content
//!        28-31   CRC-32 of bytes 16-27 and the content
//!        32-     content
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SaveError;
use super::kind::{Kind, WORD};

/// Number of bytes of the header.
const HEADER: usize = 32;

/// Returns a run in the format of this kind.
pub(crate) fn to_bytes(kind: Kind, run: &impl Serialize) -> Result<Vec<u8>, SaveError> {
    // Fields are stored with their names, so that tools can read the content. MessagePack keeps all bits of a float, NaN
    // and ∞ included.
    let content = rmp_serde::to_vec_named(run).map_err(|error| SaveError::Memory {
        reason: error.to_string(),
    })?;
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(kind.magic());
    bytes.extend_from_slice(&kind.version().to_le_bytes());
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    let sum = sum(&bytes[16..28], &content);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(&content);
    Ok(bytes)
}

/// Returns the run of this kind that is stored in these bytes. `data` names them in errors.
pub(crate) fn from_bytes<T: DeserializeOwned>(
    kind: Kind,
    bytes: &[u8],
    data: &str,
) -> Result<T, SaveError> {
    let found = bytes.len() as u64;
    let truncated = |expected: u64| SaveError::Truncated {
        data: data.to_string(),
        expected,
        found,
    };
    let begin = bytes.len().min(WORD);
    if bytes[..begin] != kind.magic()[..begin] {
        return Err(not_of(kind, bytes, data));
    }
    let Some((header, content)) = bytes.split_at_checked(HEADER) else {
        return Err(truncated(HEADER as u64));
    };
    let [version, length, stored] = [16..20, 20..28, 28..32].map(|range| number(&header[range]));
    if version != u64::from(kind.version()) {
        return Err(SaveError::Version {
            data: data.to_string(),
            found: version as u32,
            known: kind.version(),
        });
    }
    let expected = length.saturating_add(HEADER as u64);
    if found < expected {
        return Err(truncated(expected));
    }
    let corrupted = |reason: String| SaveError::Corrupted {
        data: data.to_string(),
        reason,
    };
    if found > expected {
        return Err(corrupted(format!("it has {found} bytes, not {expected}")));
    }
    if stored != u64::from(sum(&header[16..28], content)) {
        return Err(corrupted("its checksum is wrong".to_string()));
    }
    rmp_serde::from_slice(content).map_err(|error| corrupted(error.to_string()))
}

/// Returns the error of bytes that do not begin as those of a run of this kind.
fn not_of(kind: Kind, bytes: &[u8], data: &str) -> SaveError {
    let data = data.to_string();
    match kind.other(bytes) {
        None => SaveError::Foreign { data },
        Some(found) => SaveError::Kind {
            data,
            expected: kind.name(),
            found: found.name(),
        },
    }
}

/// Returns the checksum of a header and a content.
fn sum(header: &[u8], content: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(header);
    sum.update(content);
    sum.finalize()
}

/// Reads a little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind::Descent;

    #[test]
    fn floats_keep_all_their_bits() {
        let values = vec![
            f64::NAN,
            -f64::NAN,
            f64::from_bits(0x7FF8_0000_0000_0123),
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            5e-324,
            0.1,
        ];
        let back: Vec<f64> = from_bytes(KIND, &to_bytes(KIND, &values).unwrap(), "it").unwrap();
        let bits = |v: &[f64]| -> Vec<u64> { v.iter().map(|x| x.to_bits()).collect() };
        assert_eq!(bits(&back), bits(&values));
    }

    #[test]
    fn every_prefix_and_every_changed_byte_is_an_error() {
        let bytes = to_bytes(KIND, &vec![1.5, 2.5]).unwrap();
        for length in 0..bytes.len() {
            let error = from_bytes::<Vec<f64>>(KIND, &bytes[..length], "it").unwrap_err();
            assert!(matches!(error, SaveError::Truncated { .. }), "{error}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(
                from_bytes::<Vec<f64>>(KIND, &changed, "it").is_err(),
                "{at}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        let error = from_bytes::<Vec<f64>>(KIND, &longer, "it").unwrap_err();
        assert!(matches!(error, SaveError::Corrupted { .. }), "{error}");
    }

    #[test]
    fn runs_of_another_kind_are_told_apart() {
        let bytes = to_bytes(Kind::Stochastic, &1.5).unwrap();
        let error = from_bytes::<f64>(KIND, &bytes, "it").unwrap_err();
        assert!(matches!(error, SaveError::Kind { .. }), "{error}");
        assert_eq!(from_bytes(Kind::Stochastic, &bytes, "it"), Ok(1.5));
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        // Check value of CRC-32/ISO-HDLC.
        assert_eq!(super::super::checksum(b"123456789"), 0xCBF4_3926);
    }
}
