//! Fine fields as images within an SVG.

use crate::colour::Colour;

/// Image as a PNG.
pub(crate) struct Image(Vec<u8>);

impl Image {
    /// Encodes pixels, row by row from the top. Pixels without a colour are transparent.
    pub(crate) fn new(
        size: [usize; 2],
        pixels: impl Iterator<Item = Option<Colour>>,
    ) -> Result<Image, String> {
        let bytes: Vec<u8> = pixels
            .flat_map(|pixel| pixel.map_or([0; 4], |Colour(r, g, b)| [r, g, b, 255]))
            .collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size[0] as u32, size[1] as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&bytes));
        written.map_err(|e| e.to_string())?;
        Ok(Image(file))
    }

    /// Returns the element of an SVG that stretches the image over a rectangle, given by two corners.
    pub(crate) fn element(&self, from: (i32, i32), to: (i32, i32)) -> String {
        let (x, y, width, height) = (from.0, from.1, to.0 - from.0, to.1 - from.1);
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering: pixelated\" href=\"data:image/png;base64,{}\"/>\n",
            base64(&self.0)
        )
    }
}

/// Encodes bytes in base 64 (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        // Three bytes are four digits of six bits. Digits beyond the last byte are replaced by '='.
        let byte = |k: usize| u32::from(group.get(k).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            let digit = (bits >> (18 - 6 * k)) & 63;
            let beyond = k > group.len();
            text.push(if beyond {
                '='
            } else {
                char::from(DIGITS[digit as usize])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_the_standard() {
        // The examples of RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn an_image_has_its_pixels() {
        let colours = [Some(Colour(1, 2, 3)), None];
        let image = Image::new([2, 1], colours.into_iter()).unwrap();
        let mut reader = png::Decoder::new(image.0.as_slice()).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, [1, 2, 3, 255, 0, 0, 0, 0]);
    }
}
