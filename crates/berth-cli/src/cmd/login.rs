//! `login` and `logout`.

use std::io::{BufRead as _, Read as _, Write as _};

use berth_api::registry::AuthConfig;
use berth_distribution::Credentials;

use crate::command::{Args, Command};
use crate::credentials::{HUB, Kept, key};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "login",
    usage: "login [OPTIONS] [SERVER]",
    about: "Keep credentials for a registry (none named: Docker Hub)",
    aliases: &[],
    flags: &[
        Flag::text("password", "Password or access token; others on this host can see it here").short('p'),
        Flag::switch("password-stdin", "The password comes on standard input"),
        Flag::text("username", "User").short('u'),
    ],
    args: Args::AtMost(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

pub(crate) const LOGOUT: Command = Command {
    name: "logout",
    usage: "logout [SERVER]",
    about: "Give up the credentials kept for a registry (none named: Docker Hub)",
    flags: &[],
    run: log_out,
    ..COMMAND
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let given = given(parsed)?;
    let server = parsed.args.first().map_or("", String::as_str);
    let key = key(server);
    if let (None, None) = &given
        && let Some(status) = with_kept(session, &key)?
    {
        crate::print(&format!("{status}\n"));
        return Ok(0);
    }
    let auth = complete(session, &key, given)?;
    let status = show(session, auth)?;
    crate::print(&format!("{status}\n"));
    Ok(0)
}

/// User and password as the command line gives them.
fn given(parsed: &Parsed) -> Result<(Option<String>, Option<String>), Failure> {
    let (user, password) = (parsed.get("username"), parsed.get("password"));
    let stdin = parsed.on("password-stdin");
    if password.is_some() && stdin {
        return Err(Failure::new("conflicting options: cannot specify both --password and --password-stdin"));
    }
    if stdin && user.is_none_or(str::is_empty) {
        return Err(Failure::new("the --password-stdin option requires --username to be set"));
    }
    if user == Some("") {
        return Err(Failure::new("username is empty"));
    }
    if password == Some("") {
        return Err(Failure::new("password is empty"));
    }
    if password.is_some() {
        eprintln!("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    }
    let mut password = password.map(str::to_owned);
    if stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        password = Some(text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    Ok((user.map(str::to_owned), password.filter(|text| !text.is_empty())))
}

/// Tries what is kept already. `None` where there is nothing, or nothing that is still good.
fn with_kept(session: &Session, key: &str) -> Result<Option<String>, Failure> {
    let kept = session.config().kept_credentials(key)?;
    let Some(kept) = kept.filter(|auth| !auth.username.is_empty() && !auth.password.is_empty()) else {
        return Ok(None);
    };
    eprintln!("Authenticating with existing credentials... [Username: {}]", kept.username);
    match ask_registry(session, &AuthConfig { serveraddress: key.to_owned(), ..kept.clone() }) {
        Ok((status, token)) => {
            keep(session, kept, key, token)?;
            eprintln!("hint: to log in as somebody else, log out first");
            Ok(Some(status))
        }
        Err(Refusal::Unauthorized(_)) if terminal::stdin_is_terminal() => {
            eprintln!("The registry does not take these credentials any more");
            Ok(None)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Asks the user for what is not given.
fn complete(session: &Session, key: &str, given: (Option<String>, Option<String>)) -> Result<AuthConfig, Failure> {
    let serveraddress = key.to_owned();
    let (user, password) = match given {
        (Some(user), Some(password)) => (user, password),
        _ if !terminal::stdin_is_terminal() => {
            return Err(Failure::new("Error: Cannot perform an interactive login from a non TTY device"));
        }
        (user, password) => {
            let user = user.map_or_else(|| ask_user(session, key), Ok)?;
            (user, password.map_or_else(ask_password, Ok)?)
        }
    };
    if user.contains(':') {
        return Err(Failure::new(format!(
            "the username {user:?} has a colon, which no registry could tell from the one before the password"
        )));
    }
    Ok(AuthConfig { username: user, password, serveraddress, ..AuthConfig::default() })
}

fn ask_user(session: &Session, key: &str) -> Result<String, Failure> {
    if key == HUB {
        crate::print("Log in with your Docker Hub account (or one of another registry: name it after login).\n");
    }
    let kept = session.config().kept_credentials(key).ok().flatten().map(|auth| auth.username).unwrap_or_default();
    match kept.as_str() {
        "" => crate::print("Username: "),
        kept => crate::print(&format!("Username ({kept}): ")),
    }
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        "" if kept.is_empty() => Err(Failure::new("Error: Non-null Username Required")),
        "" => Ok(kept),
        user => Ok(user.to_owned()),
    }
}

fn ask_password() -> Result<String, Failure> {
    crate::print("Password: ");
    std::io::stdout().flush()?;
    let secret = terminal::read_hidden();
    crate::print("\n");
    match secret? {
        None => Err(Failure::silent(130)),
        Some(secret) if secret.is_empty() => Err(Failure::new("Error: Password Required")),
        Some(secret) => Ok(secret),
    }
}

/// Shows credentials to the registry and keeps them; gives the status to be printed.
fn show(session: &Session, auth: AuthConfig) -> Result<String, Failure> {
    let (status, token) = ask_registry(session, &auth)?;
    let key = auth.serveraddress.clone();
    if keep(session, auth, &key, token)? == Kept::InFile {
        eprintln!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this \
             warning. See\nhttps://docs.docker.com/go/credential-store/\n",
            session.config().path().display()
        );
    }
    Ok(status)
}

/// Keeps the token, or where the registry gave none, the password. A token is nothing to warn of.
fn keep(session: &Session, auth: AuthConfig, key: &str, token: String) -> Result<Kept, Failure> {
    let token_only = !token.is_empty();
    let kept = match token_only {
        true => AuthConfig { password: String::new(), identitytoken: token, ..auth },
        false => auth,
    };
    let kept = session.config().keep_credentials(key, &kept).map_err(|e| format!("Error saving credentials: {e}"))?;
    Ok(if token_only { Kept::ByHelper } else { kept })
}

/// Why a registry was not logged in to.
enum Refusal {
    Unauthorized(String),
    Other(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (Refusal::Unauthorized(reason) | Refusal::Other(reason)) = refusal;
        Self::new(reason)
    }
}

/// The daemon asks the registry; where there is none, we do.
fn ask_registry(session: &Session, auth: &AuthConfig) -> Result<(String, String), Refusal> {
    let other = |failure: Failure| Refusal::Other(failure.message);
    let client = session.client().map_err(other)?;
    match session.block_on(client.login(auth)).map_err(other)? {
        Ok(answer) => Ok((answer.status, answer.identity_token)),
        Err(error) if error.is_connect() => ourselves(session, auth),
        Err(error) if error.status() == Some(401) => Err(Refusal::Unauthorized(error.to_string())),
        Err(error) => Err(Refusal::Other(error.to_string())),
    }
}

fn ourselves(session: &Session, auth: &AuthConfig) -> Result<(String, String), Refusal> {
    let credentials = Credentials {
        username: auth.username.clone(),
        password: auth.password.clone(),
        identity_token: auth.identitytoken.clone(),
        ..Credentials::default()
    };
    let registries = berth_distribution::Client::new(berth_distribution::Config::default());
    let answer = session.block_on(registries.login(&auth.serveraddress, &credentials));
    match answer.map_err(|failure| Refusal::Other(failure.message))? {
        Ok(token) => Ok(("Login Succeeded".to_owned(), token)),
        Err(error) if error.kind() == berth_distribution::ErrorKind::Unauthorized => {
            Err(Refusal::Unauthorized(error.to_string()))
        }
        Err(error) => Err(Refusal::Other(error.to_string())),
    }
}

fn log_out(session: &Session, parsed: &Parsed) -> Outcome {
    let key = key(parsed.args.first().map_or("", String::as_str));
    crate::print(&format!("Removing login credentials for {key}\n"));
    if let Err(reason) = session.config().give_up_credentials(&key) {
        eprintln!("WARNING: could not erase credentials: {reason}");
    }
    Ok(0)
}
