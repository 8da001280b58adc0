//! Calls about images.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use berth_api::Filters;
use berth_api::image::{HistoryStep, ImageDeleted, ImageInspect, ImageSummary};
use berth_api::progress::JsonMessage;
use berth_api::registry::{AuthConfig, PullPlan};
use http::{HeaderName, HeaderValue, Method};

use crate::query::Path;
use crate::system::filters;
use crate::{Client, Error, Lines};

/// What to pull.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    /// Repository, as `docker.io/library/busybox`.
    pub image: String,
    /// Tag or digest; empty: every tag.
    pub tag: String,
    /// `os/arch[/variant]`; empty: the daemon's.
    pub platform: String,
    /// Credentials.
    pub auth: Option<AuthConfig>,
    /// To be told beforehand how much is going to come; berth only, others do not mind.
    pub sizes: bool,
}

/// What to push.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// Repository, as `127.0.0.1:5000/team/app`.
    pub image: String,
    /// Empty: every tag.
    pub tag: String,
    /// As JSON; empty: what the name stands for.
    pub platform: String,
    /// Credentials.
    pub auth: Option<AuthConfig>,
}

/// Which images to list, and how.
#[derive(Debug, Clone, Default)]
pub struct ListImages {
    /// Intermediate ones too.
    pub all: bool,
    /// With digests.
    pub digests: bool,
    /// With the images that each name stands for.
    pub manifests: bool,
    /// Reference, label, dangling, ….
    pub filters: Filters,
}

/// How to remove an image.
#[derive(Debug, Clone, Default)]
pub struct RemoveImage {
    /// Even if something uses it.
    pub force: bool,
    /// Keep untagged parents.
    pub no_prune: bool,
    /// Only these platforms, each as JSON; none: the whole image.
    pub platforms: Vec<String>,
}

impl Client {
    /// Pulls an image. Failures come as messages with `error` set once the stream has begun.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pull_image(&self, options: &PullOptions) -> Result<Lines<JsonMessage>, Error> {
        let path = Path::new(&["images", "create"])
            .text("fromImage", &options.image)
            .text("tag", &options.tag)
            .text("platform", &options.platform)
            .flag("sizes", options.sizes);
        let mut call = self.call(Method::POST, path);
        if let Some(auth) = &options.auth {
            call = call.header(HeaderName::from_static("x-registry-auth"), registry_auth(auth)?);
        }
        Ok(Lines::new(call.send().await?))
    }

    /// Asks what a pull would do; berth only.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn plan_pull(&self, options: &PullOptions) -> Result<PullPlan, Error> {
        let path = Path::new(&["images", "plan"])
            .text("fromImage", &options.image)
            .text("tag", &options.tag)
            .text("platform", &options.platform);
        let mut call = self.call(Method::GET, path);
        if let Some(auth) = &options.auth {
            call = call.header(HeaderName::from_static("x-registry-auth"), registry_auth(auth)?);
        }
        call.decode().await
    }

    /// Pushes an image. Failures come as messages with `error` set once the stream has begun.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn push_image(&self, options: &PushOptions) -> Result<Lines<JsonMessage>, Error> {
        let path = Path::new(&["images", &options.image, "push"])
            .text("tag", &options.tag)
            .text("platform", &options.platform);
        // Daemons of other makes want the header, if with nobody in it.
        let auth = options.auth.clone().unwrap_or_default();
        let call =
            self.call(Method::POST, path).header(HeaderName::from_static("x-registry-auth"), registry_auth(&auth)?);
        Ok(Lines::new(call.send().await?))
    }

    /// Lists images.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_images(&self, options: &ListImages) -> Result<Vec<ImageSummary>, Error> {
        let path = Path::new(&["images", "json"])
            .flag("all", options.all)
            .flag("digests", options.digests)
            .flag("manifests", options.manifests)
            .text("filters", &filters(&options.filters));
        self.call(Method::GET, path).decode().await
    }

    /// Everything about one image.
    ///
    /// # Errors
    /// 404: no such image.
    pub async fn inspect_image(&self, name: &str) -> Result<ImageInspect, Error> {
        self.call(Method::GET, Path::new(&["images", name, "json"])).decode().await
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// 404: no such image.
    pub async fn tag_image(&self, name: &str, repository: &str, tag: &str) -> Result<(), Error> {
        let path = Path::new(&["images", name, "tag"]).text("repo", repository).text("tag", tag);
        self.call(Method::POST, path).done().await
    }

    /// How an image came to be, the last step first; `platform` as JSON, or empty.
    ///
    /// # Errors
    /// 404: no such image, or not for that platform.
    pub async fn image_history(&self, name: &str, platform: &str) -> Result<Vec<HistoryStep>, Error> {
        let path = Path::new(&["images", name, "history"]).text("platform", platform);
        self.call(Method::GET, path).decode().await
    }

    /// Removes a reference, and the image with its last one.
    ///
    /// # Errors
    /// 409: a container uses it.
    pub async fn remove_image(&self, name: &str, options: &RemoveImage) -> Result<Vec<ImageDeleted>, Error> {
        let mut path = Path::new(&["images", name]).flag("force", options.force).flag("noprune", options.no_prune);
        for platform in &options.platforms {
            path = path.text("platforms", platform);
        }
        self.call(Method::DELETE, path).decode().await
    }
}

pub(crate) fn registry_auth(auth: &AuthConfig) -> Result<HeaderValue, Error> {
    let text = URL_SAFE.encode(serde_json::to_vec(auth).unwrap_or_default());
    let mut value = HeaderValue::try_from(text).map_err(http::Error::from)?;
    value.set_sensitive(true);
    Ok(value)
}
