//! Where pictures are kept: a folder of this cell's, or a bucket of any S3-compatible store, which all cells may share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path, prefix::PrefixStore,
};
use skep_protocol::{Code, Refusal, UserId};
use tokio::sync::Semaphore;

use super::{ImageName, ImageSize, Picture};
use crate::{Config, context::unavailable};

/// One request to the store.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
/// All that a call does there.
const WITHIN: Duration = Duration::from_secs(3);
/// Reads at once: local files are read by the threads that also hash passwords.
const READS: usize = 32;
/// What the names in a bucket begin with; the folder is named so.
const PREFIX: &str = "images";

/// The pictures of this cell's people.
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    reads: Semaphore,
}

impl Store {
    /// Nothing is asked of a bucket yet.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let objects: Arc<dyn ObjectStore> = match &config.images_bucket {
            Some(bucket) => Arc::new(PrefixStore::new(bucket_of(config, bucket)?, PREFIX)),
            None => {
                let folder = config.data_dir.join(PREFIX);
                std::fs::create_dir_all(&folder).context("making the folder for pictures")?;
                let files = LocalFileSystem::new_with_prefix(folder).context("opening the folder for pictures")?;
                Arc::new(files.with_automatic_cleanup(true).with_fsync(true))
            }
        };
        Ok(Self { objects, reads: Semaphore::new(READS) })
    }

    /// Keeps both sizes. When it has said so they survive a crash of the machine.
    pub async fn put(&self, user: UserId, name: &ImageName, picture: &Picture) -> Result<(), Refusal> {
        let put = async {
            for size in ImageSize::ALL {
                self.objects.put(&place(user, name, size), picture.in_size(size).into()).await?;
            }
            Ok(())
        };
        within(put).await
    }

    /// A size of a picture, if it is there.
    pub async fn get(&self, user: UserId, name: &ImageName, size: ImageSize) -> Result<Option<Bytes>, Refusal> {
        let place = place(user, name, size);
        let get = async {
            let found = match self.objects.get(&place).await {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            found.bytes().await.map(Some)
        };
        let Ok(Ok(_turn)) = tokio::time::timeout(WITHIN, self.reads.acquire()).await else {
            return Err(Refusal::new(Code::Busy, "too many pictures are asked for at the moment; try again soon"));
        };
        within(get).await
    }

    /// Removes both sizes. What is gone already is no matter.
    pub async fn remove(&self, user: UserId, name: &ImageName) -> Result<(), Refusal> {
        let remove = async {
            for size in ImageSize::ALL {
                match self.objects.delete(&place(user, name, size)).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        within(remove).await
    }
}

fn bucket_of(config: &Config, bucket: &str) -> anyhow::Result<impl ObjectStore> {
    // The store's client takes the process's provider, and panics when there is none. There may be one already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = config.images_endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client = ClientOptions::new().with_timeout(REQUEST_WITHIN).with_connect_timeout(REQUEST_WITHIN);
    let retry = RetryConfig { max_retries: 1, retry_timeout: WITHIN, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(config.images_region.as_str())
        // Not every such store can delete many at once.
        .with_disable_bulk_delete(true)
        .with_client_options(client.with_allow_http(is_plain))
        .with_retry(retry);
    if let Some(endpoint) = &config.images_endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let (Some(key), Some(secret)) = (&config.images_access_key, &config.images_secret_key) {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret.expose());
    }
    builder.build().context("opening the bucket for pictures")
}

fn place(user: UserId, name: &ImageName, size: ImageSize) -> Path {
    Path::from_iter([user.to_string(), name.to_string(), format!("{}.webp", size.side())])
}

async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(WITHIN, call).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => tracing::warn!(%error, "the store of pictures failed"),
        Err(_) => tracing::warn!("the store of pictures does not answer"),
    }
    Err(unavailable("the store of pictures does not answer at the moment; trying again is safe"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::{
        Router,
        extract::{Request, State},
        http::{Method, StatusCode, header},
        response::{IntoResponse, Response},
    };
    use parking_lot::Mutex;
    use serde_json::json;
    use skep_protocol::Millis;

    use super::*;

    const SECRET: &str = "not to be told";

    fn config(more: serde_json::Value) -> Config {
        let listen = "127.0.0.1:0";
        let mut config = json!({
            "cell_id": 1, "expected_cells": 1, "directory": "http://127.0.0.1:1", "database": "host=/nowhere",
            "socket_listen": listen, "socket_url": "ws://a/v1/socket", "http_listen": listen, "relay_listen": listen,
            "admin_listen": listen, "public_url": "http://a", "cluster_secret": "a".repeat(32),
            "data_dir": std::env::temp_dir().join(format!("skep-images-{:x}", rand::random::<u64>())),
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    }

    fn picture() -> Picture {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(8, 8).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        Picture::of(bytes.get_ref()).unwrap()
    }

    /// Put, read, and taken away twice, as all stores must do.
    async fn keeps(store: &Store) {
        let (user, picture) = (UserId::new("anna", Millis(1), 1), picture());
        let (name, other) = (ImageName::new(&picture, 1), ImageName::new(&picture, 2));
        assert_eq!(store.get(user, &name, ImageSize::Small).await, Ok(None));
        store.put(user, &name, &picture).await.unwrap();
        store.put(user, &other, &picture).await.unwrap();
        for size in ImageSize::ALL {
            assert_eq!(store.get(user, &name, size).await, Ok(Some(picture.in_size(size))));
        }
        for _ in 0..2 {
            store.remove(user, &name).await.unwrap();
            assert_eq!(store.get(user, &name, ImageSize::Large).await, Ok(None));
        }
        assert!(store.get(user, &other, ImageSize::Large).await.unwrap().is_some());
        store.remove(user, &other).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_keeps_pictures_and_nothing_of_them_afterwards() {
        let config = config(json!({}));
        keeps(&Store::open(&config).unwrap()).await;
        let left = std::fs::read_dir(config.data_dir.join(PREFIX)).unwrap().count();
        std::fs::remove_dir_all(&config.data_dir).unwrap();
        assert_eq!(left, 0);
    }

    type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

    /// As much of S3 as is asked of it: whole objects, by whoever signs with the key.
    async fn bucket(State(objects): State<Objects>, request: Request) -> Response {
        let signed = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
        assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=the-key/"), "{signed}");
        assert!(signed.contains("/eu-hive-1/s3/aws4_request"), "{signed}");
        assert!(!format!("{:?}", request.headers()).contains(SECRET));
        let (method, key) = (request.method().clone(), request.uri().path().to_owned());
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let missing = (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>");
        match method {
            Method::PUT => {
                objects.lock().insert(key, body);
                [(header::ETAG, "\"1\"")].into_response()
            }
            Method::GET => match objects.lock().get(&key) {
                Some(body) => {
                    let headers = [(header::ETAG, "\"1\""), (header::LAST_MODIFIED, "Fri, 02 Jan 2026 03:04:05 GMT")];
                    (headers, body.clone()).into_response()
                }
                None => missing.into_response(),
            },
            Method::DELETE => {
                objects.lock().remove(&key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    #[tokio::test]
    async fn a_bucket_keeps_them_too_and_one_that_is_away_is_said_in_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let objects = Objects::default();
        let served = Arc::clone(&objects);
        let server = tokio::spawn(async move {
            let service = Router::new().fallback(bucket).with_state(served);
            let service = hyper_util::service::TowerToHyperService::new(service);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone());
                tokio::spawn(connection);
            }
        });
        let config = config(json!({
            "images_bucket": "hive", "images_endpoint": endpoint, "images_region": "eu-hive-1",
            "images_access_key": "the-key", "images_secret_key": SECRET,
        }));
        assert!(!format!("{config:?}").contains(SECRET));
        let store = Store::open(&config).unwrap();
        keeps(&store).await;
        assert!(objects.lock().is_empty());
        store.put(UserId::new("ben", Millis(1), 1), &ImageName::new(&picture(), 3), &picture()).await.unwrap();
        assert!(objects.lock().keys().all(|key| key.starts_with("/hive/images/u_")), "{objects:?}");

        server.abort();
        _ = server.await;
        let gone = Store::open(&Config { images_endpoint: Some("https://127.0.0.1:1".to_owned()), ..config }).unwrap();
        let refused =
            gone.get(UserId::new("ben", Millis(1), 1), &ImageName::new(&picture(), 3), ImageSize::Large).await;
        assert_eq!(refused.unwrap_err().code, Code::Unavailable);
    }
}
