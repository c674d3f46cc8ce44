//! From the bytes that somebody sent to what is kept: a square of its middle, upright, in two sizes, without metadata.

use std::io::Cursor;

use bytes::Bytes;
use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageReader, Limits, codecs::webp::WebPEncoder, imageops::FilterType,
    metadata::Orientation,
};
use sha2::{Digest, Sha256};
use skep_protocol::limits;

use super::{
    name::ImageSize,
    probe::{Unfit, format_of},
};

/// What a decoded picture takes at most: four channels of 16 bits a pixel.
const DECODED_BYTES: u64 = limits::IMAGE_SIDE as u64 * limits::IMAGE_SIDE as u64 * 8;
/// Shrunk to this many pixels a side quickly, and from there to what is kept with a better filter.
const HALFWAY: u32 = 2 * ImageSize::Large as u32;

/// A picture as it is kept: two WebP files.
#[derive(Clone, Debug)]
pub struct Picture {
    large: Bytes,
    small: Bytes,
    /// Of both.
    pub(super) digest: [u8; 10],
}

impl Picture {
    /// Decodes and encodes: up to a second of a processor, and 200 MiB. Of an animation it takes the first frame.
    pub fn of(bytes: &[u8]) -> Result<Self, Unfit> {
        let (image, orientation) = decode(bytes)?;
        let side = ImageSize::Large.side();
        let mut large = square(image).resize_exact(side, side, FilterType::Lanczos3);
        large.apply_orientation(orientation);
        let small = large.resize_exact(ImageSize::Small.side(), ImageSize::Small.side(), FilterType::Lanczos3);
        let (large, small) = (encode(&large)?, encode(&small)?);
        let digest = Sha256::new().chain_update(&large).chain_update(&small).finalize();
        let mut first = [0; 10];
        first.copy_from_slice(&digest[..10]);
        Ok(Self { large, small, digest: first })
    }

    /// The WebP file of a size.
    pub fn in_size(&self, size: ImageSize) -> Bytes {
        match size {
            ImageSize::Large => self.large.clone(),
            ImageSize::Small => self.small.clone(),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Unfit> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format_of(bytes)?);
    let mut bounds = Limits::default();
    bounds.max_image_width = Some(limits::IMAGE_SIDE);
    bounds.max_image_height = Some(limits::IMAGE_SIDE);
    bounds.max_alloc = Some(DECODED_BYTES);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(|_| Unfit::Damaged)?;
    if decoder.total_bytes() > DECODED_BYTES {
        return Err(Unfit::TooManyPixels);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|_| Unfit::Damaged)?;
    Ok((image, orientation))
}

/// Its middle. A large picture is shrunk first: a copy of its middle could take as much as itself.
fn square(mut image: DynamicImage) -> DynamicImage {
    let side = |image: &DynamicImage| image.width().min(image.height());
    let shorter = side(&image);
    if shorter > 2 * HALFWAY {
        let shrunk = |length: u32| (u64::from(length) * u64::from(HALFWAY)).div_ceil(u64::from(shorter)) as u32;
        image = image.thumbnail_exact(shrunk(image.width()), shrunk(image.height()));
    }
    let ((width, height), side) = (image.dimensions(), side(&image));
    if width == height { image } else { image.crop_imm((width - side) / 2, (height - side) / 2, side, side) }
}

/// Lossless: there is no lossy encoder in pure Rust under a licence like ours.
fn encode(image: &DynamicImage) -> Result<Bytes, Unfit> {
    let plain = match image.to_rgba8() {
        seen_through if seen_through.pixels().any(|pixel| pixel.0[3] != u8::MAX) => seen_through.into(),
        opaque => DynamicImage::from(DynamicImage::from(opaque).into_rgb8()),
    };
    let mut bytes = Vec::new();
    plain.write_with_encoder(WebPEncoder::new_lossless(&mut bytes)).map_err(|_| Unfit::Damaged)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder, ImageFormat, Rgb, RgbImage, codecs::jpeg::JpegEncoder};

    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const GREEN: [u8; 3] = [0, 255, 0];
    const BLUE: [u8; 3] = [0, 0, 255];
    const WHITE: [u8; 3] = [255, 255, 255];

    /// EXIF data of one orientation, and of a place that nobody is to be told.
    fn exif(orientation: u16) -> Vec<u8> {
        let mut tiff = b"II\x2a\0\x08\0\0\0\x02\0".to_vec();
        // Orientation: one short. ImageDescription: twelve letters behind the table.
        tiff.extend([0x0e, 0x01, 2, 0, 12, 0, 0, 0, 38, 0, 0, 0]);
        tiff.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0]);
        tiff.extend(u32::from(orientation).to_le_bytes());
        tiff.extend([0; 4]);
        tiff.extend(b"secret place");
        tiff
    }

    fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn decoded(bytes: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(bytes, ImageFormat::WebP).unwrap().into_rgb8()
    }

    fn is_near(pixel: &Rgb<u8>, colour: [u8; 3]) -> bool {
        pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 16)
    }

    #[test]
    fn pictures_stand_upright_whatever_the_camera_says() {
        let colours = [RED, GREEN, BLUE, WHITE];
        let image = RgbImage::from_fn(64, 64, |x, y| Rgb(colours[(x / 32 + 2 * (y / 32)) as usize]));
        for (orientation, expected) in [
            (1, [RED, GREEN, BLUE, WHITE]),
            (2, [GREEN, RED, WHITE, BLUE]),
            (3, [WHITE, BLUE, GREEN, RED]),
            (4, [BLUE, WHITE, RED, GREEN]),
            (5, [RED, BLUE, GREEN, WHITE]),
            (6, [BLUE, RED, WHITE, GREEN]),
            (7, [WHITE, GREEN, BLUE, RED]),
            (8, [GREEN, WHITE, RED, BLUE]),
        ] {
            let mut bytes = Vec::new();
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            encoder.encode_image(&image).unwrap();
            let picture = Picture::of(&bytes).unwrap();
            for size in ImageSize::ALL {
                let (kept, side) = (decoded(&picture.in_size(size)), size.side());
                let near = |x: u32, y: u32| kept.get_pixel(x * side / 4, y * side / 4);
                let seen = [near(1, 1), near(3, 1), near(1, 3), near(3, 3)];
                let fits = seen.iter().zip(expected).all(|(pixel, colour)| is_near(pixel, colour));
                assert!(fits, "orientation {orientation}, {size:?}: {seen:?}");
            }
        }
    }

    #[test]
    fn of_what_the_camera_wrote_only_the_picture_is_kept() {
        let image = RgbImage::from_pixel(40, 30, Rgb(RED));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let mut bytes = Vec::new();
            let (pixels, colours) = (image.as_raw(), image::ExtendedColorType::Rgb8);
            match format {
                ImageFormat::Jpeg => {
                    let mut encoder = JpegEncoder::new(&mut bytes);
                    encoder.set_exif_metadata(exif(1)).unwrap();
                    encoder.write_image(pixels, 40, 30, colours).unwrap();
                }
                ImageFormat::Png => {
                    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
                    encoder.set_exif_metadata(exif(1)).unwrap();
                    encoder.write_image(pixels, 40, 30, colours).unwrap();
                }
                _ => {
                    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
                    encoder.set_exif_metadata(exif(1)).unwrap();
                    encoder.write_image(pixels, 40, 30, colours).unwrap();
                }
            }
            let tells = |bytes: &[u8]| bytes.windows(6).any(|letters| letters == b"secret");
            assert!(tells(&bytes), "{format:?}: the picture that is sent tells it");
            let picture = Picture::of(&bytes).unwrap();
            for size in ImageSize::ALL {
                let kept = picture.in_size(size);
                assert_eq!(&kept[..4], b"RIFF");
                assert_eq!(&kept[8..16], b"WEBPVP8L", "a file of pixels and nothing else");
                assert!(!tells(&kept));
            }
        }
    }

    #[test]
    fn the_middle_is_kept_in_two_sizes_however_long_and_small_the_picture_is() {
        for (width, height) in [(30, 10), (10, 30), (1_800, 1_100), (1_100, 1_800), (4_096, 1), (1, 1), (255, 257)] {
            // Green in the middle, red and blue at the ends that are cut off.
            let (length, side) = (width.max(height), width.min(height));
            let (from, to) = ((length - side) / 2, (length + side) / 2);
            let image = RgbImage::from_fn(width, height, |x, y| match x.max(y) {
                _ if width == height => Rgb(GREEN),
                at if at < from => Rgb(RED),
                at if at >= to && (if width > height { x } else { y }) >= to => Rgb(BLUE),
                _ => Rgb(GREEN),
            });
            let picture = Picture::of(&encoded(&image, ImageFormat::Png)).unwrap();
            for size in ImageSize::ALL {
                let kept = decoded(&picture.in_size(size));
                assert_eq!(kept.dimensions(), (size.side(), size.side()));
                let middle = size.side() / 2;
                assert!(is_near(kept.get_pixel(middle, middle), GREEN), "{width} x {height}");
                let quarter = size.side() / 4;
                assert!(is_near(kept.get_pixel(quarter, quarter), GREEN), "{width} x {height}");
            }
        }
    }

    #[test]
    fn the_largest_picture_is_taken_and_the_same_is_known_again() {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgba16(4_096, 4_096).write_to(&mut bytes, ImageFormat::Png).unwrap();
        Picture::of(bytes.get_ref()).unwrap();
        let digest =
            |colour| Picture::of(&encoded(&RgbImage::from_pixel(9, 9, Rgb(colour)), ImageFormat::Png)).unwrap().digest;
        assert_eq!(digest(RED), digest(RED));
        assert_ne!(digest(RED), digest(BLUE));
    }

    #[test]
    fn what_is_no_picture_or_too_much_of_one_is_refused() {
        let small = RgbImage::from_fn(200, 200, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let png = encoded(&small, ImageFormat::Png);
        let cut = |format| {
            let bytes = encoded(&small, format);
            bytes[..bytes.len() / 2].to_vec()
        };
        // A header alone, which says what it likes.
        let declared = |width: u32, height: u32| {
            let mut bytes = png.clone();
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            bytes
        };
        let mut lying_webp = b"RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x63\0\0\x63\0\0VP8 \x0a\0\0\0".to_vec();
        lying_webp.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f]);
        let mut lying_frame = b"RIFF\x42\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x63\0\0\x63\0\0ANMF\x22\0\0\0".to_vec();
        lying_frame.extend([0; 16]);
        lying_frame.extend_from_slice(&lying_webp[30..]);
        for (name, bytes, expected) in [
            ("nothing", Vec::new(), Unfit::Empty),
            ("half a PNG", cut(ImageFormat::Png), Unfit::Damaged),
            ("half a JPEG's head", encoded(&small, ImageFormat::Jpeg)[..100].to_vec(), Unfit::Damaged),
            ("half a WebP", cut(ImageFormat::WebP), Unfit::Damaged),
            ("half a header", png[..20].to_vec(), Unfit::Damaged),
            ("a bomb", declared(50_000, 50_000), Unfit::TooManyPixels),
            ("the largest bomb", declared(u32::MAX, u32::MAX), Unfit::TooManyPixels),
            ("a small bomb", declared(4_096, 4_096), Unfit::Damaged),
            ("no pixels", declared(0, 9), Unfit::Damaged),
            ("a line", encoded(&RgbImage::new(20_000, 1), ImageFormat::Png), Unfit::TooManyPixels),
            ("a WebP with a larger one inside", lying_webp, Unfit::TooManyPixels),
            ("an animation with a larger frame", lying_frame, Unfit::TooManyPixels),
            ("SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), Unfit::Format),
            ("GIF", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), Unfit::Format),
            ("BMP", b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0".to_vec(), Unfit::Format),
            ("HTML", b"<!doctype html><script>alert(1)</script>".to_vec(), Unfit::Format),
            ("too many bytes", [png.clone(), vec![0; limits::IMAGE_BYTES]].concat(), Unfit::TooManyBytes),
        ] {
            assert_eq!(Picture::of(&bytes).err(), Some(expected), "{name}");
        }
    }
}
