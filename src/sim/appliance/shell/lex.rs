//! Text to tokens: quoting, expansions, operators, redirections (POSIX.1-2017, XCU 2.2 and 2.3).

use super::parse::{Piece, Redirect, Token, Word};

/// The tokens of a script; the error is what `sh` says after its name and line.
pub(super) fn tokens(script: &str) -> Result<Vec<Token>, String> {
    let mut lexer = Lexer { rest: script.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.peek(index) == Some(c))
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        loop {
            match self.peek(0) {
                None => return Ok(None),
                Some('\\') if self.peek(1) == Some('\n') => self.at += 2,
                Some(' ' | '\t') => self.at += 1,
                Some('#') => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                Some(_) => break,
            }
        }
        for operator in ["&&", "||", ";;", "|", ";", "\n", "(", ")", "&"] {
            if self.starts(operator) {
                self.at += operator.len();
                return Ok(Some(Token::Operator(operator)));
            }
        }
        if let Some(redirect) = self.redirect()? {
            return Ok(Some(Token::Redirect(redirect)));
        }
        self.word().map(|word| Some(Token::Word(word)))
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, String> {
        let digit = self.peek(0).and_then(|c| c.to_digit(10)).and_then(|digit| u8::try_from(digit).ok());
        let skip = usize::from(digit.is_some());
        let (Some(sign @ ('<' | '>')), given) = (self.peek(skip), digit) else { return Ok(None) };
        self.at += skip + 1;
        let append = sign == '>' && self.peek(0) == Some('>');
        if append {
            self.at += 1;
        }
        let own = given.unwrap_or(u8::from(sign == '>'));
        if self.peek(0) == Some('&') {
            self.at += 1;
            let to = self.peek(0);
            self.at += 1;
            return match to.and_then(|c| c.to_digit(10)).and_then(|digit| u8::try_from(digit).ok()) {
                Some(to) => Ok(Some(Redirect::Copy(own, to))),
                None if to == Some('-') => Ok(Some(Redirect::Close(own))),
                None => Err("Syntax error: Bad fd number".to_owned()),
            };
        }
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let word = self.word()?;
        Ok(Some(if sign == '<' { Redirect::From(own, word) } else { Redirect::To(own, word, append) }))
    }

    fn word(&mut self) -> Result<Word, String> {
        let mut word = Word::new();
        let begun = self.at;
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.at += 1;
                    let text = self.until('\'')?;
                    word.push(Piece::Text { text, quoted: true });
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut word)?;
                }
                '$' => self.dollar(&mut word, false)?,
                '\\' => {
                    self.at += 1;
                    if let Some(escaped) = self.peek(0) {
                        self.at += 1;
                        if escaped != '\n' {
                            word.push(Piece::Text { text: escaped.into(), quoted: true });
                        }
                    }
                }
                _ => {
                    self.at += 1;
                    push_text(&mut word, c, false);
                }
            }
        }
        if self.at == begun {
            return Err("Syntax error: newline unexpected".to_owned());
        }
        Ok(word)
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.peek(0) {
            self.at += 1;
            if c == end {
                return Ok(text);
            }
            text.push(c);
        }
        Err("Syntax error: Unterminated quoted string".to_owned())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), String> {
        // Also `""` is a word.
        word.push(Piece::Text { text: String::new(), quoted: true });
        loop {
            match self.peek(0) {
                None => return Err("Syntax error: Unterminated quoted string".to_owned()),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('$') => self.dollar(word, true)?,
                Some('\\') if matches!(self.peek(1), Some('$' | '`' | '"' | '\\')) => {
                    push_text(word, self.peek(1).unwrap_or('\\'), true);
                    self.at += 2;
                }
                Some(c) => {
                    self.at += 1;
                    push_text(word, c, true);
                }
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Result<(), String> {
        self.at += 1;
        match self.peek(0) {
            Some('(') if self.peek(1) == Some('(') => {
                self.at += 2;
                let text = self.balanced()?;
                if self.peek(0) != Some(')') {
                    return Err("Syntax error: missing '))'".to_owned());
                }
                self.at += 1;
                word.push(Piece::Sum { text, quoted });
            }
            Some('(') => {
                self.at += 1;
                let script = self.balanced()?;
                word.push(Piece::Output { script, quoted });
            }
            Some('{') => {
                self.at += 1;
                let inside = self.until('}')?;
                let (name, otherwise) = match inside.split_once(":-").or_else(|| inside.split_once('-')) {
                    Some((name, otherwise)) => (name.to_owned(), Some(otherwise.to_owned())),
                    None => (inside, None),
                };
                word.push(Piece::Variable { name, otherwise, quoted });
            }
            Some(c @ ('?' | '#' | '$' | '!' | '@' | '*' | '0'..='9')) => {
                self.at += 1;
                word.push(Piece::Variable { name: c.into(), otherwise: None, quoted });
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
                word.push(Piece::Variable { name, otherwise: None, quoted });
            }
            _ => push_text(word, '$', quoted),
        }
        Ok(())
    }

    /// Up to the bracket that closes `$(`.
    fn balanced(&mut self) -> Result<String, String> {
        let (mut text, mut depth) = (String::new(), 1);
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                '\'' => {
                    text.push(c);
                    text.push_str(&self.until('\'')?);
                }
                _ => {}
            }
            if depth == 0 {
                return Ok(text);
            }
            text.push(c);
        }
        Err("Syntax error: Unterminated quoted string".to_owned())
    }
}

fn push_text(word: &mut Word, c: char, as_quoted: bool) {
    match word.last_mut() {
        Some(Piece::Text { text, quoted }) if *quoted == as_quoted => text.push(c),
        _ => word.push(Piece::Text { text: c.into(), quoted: as_quoted }),
    }
}
