//! The S3 server itself: s3s over the buckets of s3s-fs in a directory. It verifies the signature
//! of every request.
//!
//! s3s-fs honours `If-None-Match: *` of PutObject by itself: it answers 412. It makes a bucket
//! that is not there, which S3 does not; here the answer is 404 instead.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use s3s::auth::S3Auth;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

/// A service with the buckets that are folders of `root`, for those who hold one of the keys.
pub fn service(root: &Path, keys: impl S3Auth) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Buckets {
        files: FileSystem::new(root).unwrap(),
        root: root.to_owned(),
    });
    builder.set_auth(keys);
    builder.build()
}

/// The operations that delivery calls, and those with which its objects are read back.
struct Buckets {
    files: FileSystem,
    root: PathBuf,
}

#[async_trait]
impl S3 for Buckets {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if self.root.join(&request.input.bucket).is_dir() {
            self.files.put_object(request).await
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(request).await
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await
    }
}
