//! Passwords, and how RabbitMQ keeps them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// Fills a buffer with what nobody can guess. Tests fill it with what they know.
pub(super) type Randomness<'a> = &'a mut dyn FnMut(&mut [u8]) -> anyhow::Result<()>;

/// A password of 256 random bits: letters and digits, so that it needs no escape anywhere.
pub(super) struct Password(String);

impl Password {
    pub(super) fn generate(randomness: Randomness<'_>) -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        randomness(&mut bytes)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// One that was written before; none where it could not be written again as it is.
    pub(super) fn known(text: String) -> Option<Self> {
        let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        is_plain.then_some(Self(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash that RabbitMQ keeps: Base64 of four bytes of salt and the SHA-256 of the salt and
    /// the password, <https://www.rabbitmq.com/docs/passwords#this-is-the-algorithm>.
    pub(super) fn hash(&self, randomness: Randomness<'_>) -> anyhow::Result<String> {
        let mut salt = [0; 4];
        randomness(&mut salt)?;
        Ok(hash(salt, &self.0))
    }
}

fn hash(salt: [u8; 4], password: &str) -> String {
    let digest = Sha256::digest([&salt, password.as_bytes()].concat());
    BASE64.encode([&salt, digest.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_as_in_the_example_of_the_documentation_of_rabbitmq() {
        let salt = [0x90, 0x8d, 0xc6, 0x0a];
        let expected = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
        assert_eq!(hash(salt, "test12"), expected);
    }

    #[test]
    fn a_password_is_long_and_plain_and_one_that_is_not_plain_is_not_kept() {
        let mut zeros = |buffer: &mut [u8]| {
            buffer.fill(0xab);
            Ok(())
        };
        let password = Password::generate(&mut zeros).unwrap();
        assert_eq!(password.as_str(), "ab".repeat(32));
        assert!(Password::known(password.as_str().to_owned()).is_some());
        for text in ["", "a b", "a'b", "a@b", "a%40b"] {
            assert!(Password::known(text.to_owned()).is_none(), "{text:?}");
        }
    }
}
