//! Messages with numbers: what is sent, and whether it comes exactly once, in order and unchanged.

/// Stands in a template for the number.
pub const NUMBER: &str = "##########";
/// Numbers begin here, so that all of them have ten digits.
const FIRST: usize = 1_000_000_000;

/// Messages that differ in their number only, counted from 0.
#[derive(Debug)]
pub struct Numbered {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Numbered {
    /// # Panics
    /// When the template has no [`NUMBER`].
    #[must_use]
    pub fn new(template: &str) -> Self {
        let places: Vec<usize> = template.match_indices(NUMBER).map(|(place, _)| place).collect();
        assert!(!places.is_empty(), "{template} has no {NUMBER}");
        Self {
            bytes: template.into(),
            places,
        }
    }

    /// The message with that number.
    pub fn message(&mut self, index: usize) -> &[u8] {
        let mut number = FIRST + index;
        for digit in (0..NUMBER.len()).rev() {
            let figure = b"0123456789"[number % 10];
            for place in &self.places {
                self.bytes[place + digit] = figure;
            }
            number /= 10;
        }
        &self.bytes
    }

    /// Checks that what came is the message with that number.
    ///
    /// # Errors
    /// A sentence that says what it is instead.
    pub fn check(&mut self, index: usize, message: &[u8]) -> Result<(), String> {
        if self.message(index) == message {
            return Ok(());
        }
        let digits = message.get(self.places[0]..).and_then(|rest| rest.get(..NUMBER.len()));
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        Err(match number.and_then(|number| number.checked_sub(FIRST)) {
            Some(came) if came < index => format!("message {came} came again, or late, instead of {index}"),
            Some(came) if came > index => format!("message {came} came instead of {index}"),
            _ => {
                let shown = String::from_utf8_lossy(&message[..message.len().min(100)]);
                format!("message {index} was changed, or is another client's: {shown}")
            }
        })
    }
}

/// A payload of so many characters, with the number of a client and that of the message in it.
#[must_use]
pub fn payload(client: usize, size: usize) -> String {
    format!("{client:05}:{NUMBER}:{}", "x".repeat(size.saturating_sub(17)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(count: usize) -> Vec<Vec<u8>> {
        let mut messages = Numbered::new(&payload(7, 32));
        (0..count).map(|index| messages.message(index).to_vec()).collect()
    }

    fn received(messages: &[Vec<u8>]) -> Result<(), String> {
        let mut awaited = Numbered::new(&payload(7, 32));
        messages
            .iter()
            .enumerate()
            .try_for_each(|(index, message)| awaited.check(index, message))
    }

    #[test]
    fn each_message_once_in_order_is_right() {
        assert_eq!(received(&sent(1_000)), Ok(()));
        assert!(sent(1_000).iter().all(|message| message.len() == 32));
    }

    #[test]
    fn a_lost_doubled_or_overtaken_message_is_noticed() {
        let mut lost = sent(5);
        lost.remove(2);
        assert_eq!(received(&lost), Err("message 3 came instead of 2".into()));
        let mut doubled = sent(5);
        doubled.insert(2, doubled[1].clone());
        assert_eq!(
            received(&doubled),
            Err("message 1 came again, or late, instead of 2".into())
        );
        let mut overtaken = sent(5);
        overtaken.swap(1, 2);
        assert_eq!(received(&overtaken), Err("message 2 came instead of 1".into()));
    }

    #[test]
    fn a_changed_cut_or_foreign_message_is_noticed() {
        let changes: [fn(&mut Vec<u8>); 3] = [
            |message| message[20] = b'y',
            |message| message.truncate(31),
            |message| message[4] = b'8',
        ];
        for change in changes {
            let mut messages = sent(3);
            change(&mut messages[1]);
            assert!(received(&messages).unwrap_err().starts_with("message 1 was changed"));
        }
    }

    #[test]
    fn every_place_has_the_number() {
        let mut acks = Numbered::new("43##########[\"##########\"]");
        assert_eq!(acks.message(1), b"431000000001[\"1000000001\"]");
    }
}
