//! What can be said of a picture before it is decoded: its format and its dimensions, by its content.

use image::ImageFormat;
use imagesize::ImageType;
use skep_protocol::{Code, FieldCode, FieldError, Refusal, limits};

/// Why a picture is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    #[error("there is no picture: send the bytes of a PNG, JPEG or WebP file")]
    Empty,
    #[error("a picture has at most {} MiB", limits::IMAGE_BYTES / (1024 * 1024))]
    TooManyBytes,
    #[error("a picture is a PNG, JPEG or WebP file; this is none")]
    Format,
    #[error("a picture has at most {0} x {0} pixels: make it smaller", limits::IMAGE_SIDE)]
    TooManyPixels,
    #[error("this picture cannot be read: it is damaged or not whole")]
    Damaged,
}

/// The formats of the contract, as content types.
const NAMES: [&str; 3] = ["image/png", "image/jpeg", "image/webp"];

/// Whether a content type names one of the formats. Which of them it is, the content says.
pub fn is_named(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The format of a picture that may be decoded.
pub(super) fn format_of(bytes: &[u8]) -> Result<ImageFormat, Unfit> {
    if bytes.is_empty() {
        return Err(Unfit::Empty);
    }
    if bytes.len() > limits::IMAGE_BYTES {
        return Err(Unfit::TooManyBytes);
    }
    let format = match imagesize::image_type(bytes) {
        Ok(ImageType::Png) => ImageFormat::Png,
        Ok(ImageType::Jpeg) => ImageFormat::Jpeg,
        Ok(ImageType::Webp) => ImageFormat::WebP,
        _ => return Err(Unfit::Format),
    };
    let size = imagesize::blob_size(bytes).map_err(|_| Unfit::Damaged)?;
    check_sides(size.width, size.height)?;
    if format == ImageFormat::WebP {
        check_frames(bytes.get(12..).unwrap_or_default())?;
    }
    Ok(format)
}

fn check_sides(width: usize, height: usize) -> Result<(), Unfit> {
    let most = limits::IMAGE_SIDE as usize;
    match (width, height) {
        (0, _) | (_, 0) => Err(Unfit::Damaged),
        (width, height) if width > most || height > most => Err(Unfit::TooManyPixels),
        _ => Ok(()),
    }
}

/// A WebP file names its dimensions once, and each lossy frame in it its own again, which the decoder believes before it
/// compares the two: a small file could have it decode 16,383 x 16,383 pixels.
fn check_frames(mut chunks: &[u8]) -> Result<(), Unfit> {
    while let Some((head, rest)) = chunks.split_at_checked(8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &rest[..size.min(rest.len())];
        match &head[..4] {
            // A lossy frame: three bytes, a mark of three, then width and height of 14 bits each.
            b"VP8 " => {
                let sides = body.get(6..10).ok_or(Unfit::Damaged)?;
                let side = |at: usize| usize::from(u16::from_le_bytes([sides[at], sides[at + 1]]) & 0x3fff);
                check_sides(side(0), side(2))?;
            }
            // A frame of an animation: sixteen bytes, then chunks.
            b"ANMF" => check_frames(body.get(16..).ok_or(Unfit::Damaged)?)?,
            _ => {}
        }
        chunks = rest.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    Ok(())
}

impl Unfit {
    fn field_code(self) -> FieldCode {
        match self {
            Self::Empty => FieldCode::Required,
            Self::TooManyBytes | Self::TooManyPixels => FieldCode::TooLong,
            Self::Format | Self::Damaged => FieldCode::Format,
        }
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        let code = match unfit {
            Unfit::Empty | Unfit::Damaged => Code::Invalid,
            Unfit::TooManyBytes | Unfit::TooManyPixels => Code::TooLarge,
            Unfit::Format => Code::Unsupported,
        };
        let detail = unfit.to_string();
        let error = FieldError { field: "image".to_owned(), code: unfit.field_code(), detail: detail.clone() };
        Self { errors: vec![error], ..Self::new(code, detail) }
    }
}
