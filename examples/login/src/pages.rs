//! The two pages: the form, and what a user sees.

use crate::users::{USERS, User};

/// The page for a visitor: the form, or what a user sees who is logged in.
pub fn front(user: Option<&User>) -> String {
    match user {
        Some(user) => format!(
            include_str!("../pages/home.html"),
            name = escaped(&user.name),
            colour = user.colour
        ),
        None => form(""),
    }
}

/// The form again, for who did not know the password.
pub fn refused() -> String {
    form("No user has this name and this password.")
}

fn form(error: &str) -> String {
    let users = USERS.map(|(name, password, _)| {
        let (name, password) = (escaped(name), escaped(password));
        format!("<tr><th scope=row>{name}</th><td><code>{password}</code></td></tr>")
    });
    format!(
        include_str!("../pages/form.html"),
        error = escaped(error),
        users = users.concat()
    )
}

/// As text of a page, or of an attribute in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::Colour;

    #[test]
    fn a_name_is_text() {
        let name = r#"<b onclick="x">&amp;"#.to_owned();
        let colour = Colour::try_from("#0f766e".to_owned()).unwrap();
        let page = front(Some(&User { name, colour }));
        assert!(page.contains("&lt;b onclick=&quot;x&quot;&gt;&amp;amp;"));
        assert!(!page.contains("<b "));
    }
}
