//! A sign-up as a multipart form: text parts, and one file part with a picture.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::{Map, Value};
use skep_protocol::{Code, Refusal, limits};

use super::{
    answer::Failure,
    body::{Fields, invalid},
    images::content_type,
};
use crate::{
    context::Context,
    images::{Place, Sent, Unfit, is_named},
};

/// The name of the part with the picture.
const IMAGE: &str = "image";

/// The fields of a form or of a JSON object, and the picture that came with them.
pub(super) struct Form {
    pub fields: Fields,
    pub image: Option<Sent>,
}

impl FromRequest<Arc<Context>> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, context: &Arc<Context>) -> Result<Self, Failure> {
        let Ok(boundary) = multer::parse_boundary(content_type(request.headers())) else {
            return Ok(Self { fields: Fields::from_request(request, context).await?, image: None });
        };
        let place = context.press.place().await?;
        Ok(read(request.into_body(), boundary, place).await?)
    }
}

async fn read(body: Body, boundary: String, place: Place) -> Result<Form, Refusal> {
    let sizes = SizeLimit::new()
        .whole_stream(limits::IMAGE_BODY_BYTES as u64)
        .per_field(limits::BODY_BYTES as u64)
        .for_field(IMAGE, limits::IMAGE_BYTES as u64);
    let constraints = Constraints::new().size_limit(sizes);
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let (mut object, mut image) = (Map::new(), None);
    let mut count = 0;
    while let Some(part) = parts.next_field().await.map_err(refuse)? {
        count += 1;
        if count > limits::FORM_PARTS {
            return Err(invalid(&format!("a form has at most {} parts", limits::FORM_PARTS)));
        }
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let is_first = if name == IMAGE {
            image.replace(picture(part).await?).is_none()
        } else {
            let text = String::from_utf8(part.bytes().await.map_err(refuse)?.into());
            let text = text.map_err(|_| invalid("a text part of the form is not UTF-8"))?;
            object.insert(name, Value::String(text)).is_none()
        };
        if !is_first {
            return Err(invalid("a part of the form comes twice: each is to be there once"));
        }
    }
    Ok(Form { fields: Fields::of(object), image: image.flatten().map(|bytes| Sent { bytes, place }) })
}

/// The picture's bytes; none of a form whose file was not chosen.
async fn picture(part: Field<'_>) -> Result<Option<Bytes>, Refusal> {
    let kind = part.content_type().map(|kind| kind.essence_str().to_owned());
    let is_unchosen = part.file_name().is_none_or(str::is_empty);
    let bytes = part.bytes().await.map_err(refuse)?;
    if bytes.is_empty() && is_unchosen {
        return Ok(None);
    }
    // Some clients do not say what a file is, or say only that it is one. The content decides in any case.
    match kind.as_deref() {
        None | Some("application/octet-stream") => Ok(Some(bytes)),
        Some(kind) if is_named(kind) => Ok(Some(bytes)),
        Some(_) => Err(Unfit::Format.into()),
    }
}

fn refuse(error: multer::Error) -> Refusal {
    match error {
        multer::Error::FieldSizeExceeded { field_name: Some(name), .. } if name == IMAGE => Unfit::TooManyBytes.into(),
        multer::Error::FieldSizeExceeded { .. } => Refusal::new(Code::TooLarge, "a text part has at most 256 KiB"),
        multer::Error::StreamSizeExceeded { .. } => {
            Refusal::new(Code::TooLarge, "a body with an image has at most 6 MiB")
        }
        error => invalid(&format!("the form cannot be read: {error}")),
    }
}
