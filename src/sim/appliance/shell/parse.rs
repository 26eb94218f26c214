//! Text to commands: tokens, quoting, lists, pipelines, `if`, `for`, groups (POSIX.1-2017, XCU 2.3 and 2.9).

/// One piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands; quoted text is never split.
    Text { text: String, quoted: bool },
    /// `$name`, `${name}` or `${name:-other}`.
    Variable { name: String, otherwise: Option<String>, quoted: bool },
    /// `$(script)`.
    Output { script: String, quoted: bool },
    /// `$((expression))`.
    Sum { text: String, quoted: bool },
}

pub(super) type Word = Vec<Piece>;

/// Where a descriptor is turned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// `<file`: descriptor, file.
    From(u8, Word),
    /// `>file`, `2>file`, `>>file`: descriptor, file, whether to append.
    To(u8, Word, bool),
    /// `2>&1`, `<&3`
    Copy(u8, u8),
    /// `3>&-`
    Close(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
        redirects: Vec<Redirect>,
    },
    /// Conditions with what follows each, and what follows if none holds.
    If {
        branches: Vec<(List, List)>,
        otherwise: List,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: List,
    },
    /// Also `until`.
    While {
        condition: List,
        until: bool,
        body: List,
        redirects: Vec<Redirect>,
    },
    Case {
        word: Word,
        branches: Vec<(Vec<Word>, List)>,
    },
    Function {
        name: String,
        body: Box<Command>,
    },
    Background(List),
    Group {
        body: List,
        redirects: Vec<Redirect>,
        own_shell: bool,
    },
}

/// What must have come of the command before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) when: When,
    pub(super) negated: bool,
    pub(super) commands: Vec<Command>,
}

pub(super) type List = Vec<Pipeline>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    Redirect(Redirect),
    Operator(&'static str),
}

/// Parses a script; the error is what `sh` says after its name and line.
pub(super) fn parse(script: &str) -> Result<List, String> {
    let tokens = super::lex::tokens(script)?;
    let mut parser = Parser { tokens, at: 0 };
    let list = parser.list(&[])?;
    match parser.peek() {
        None => Ok(list),
        Some(token) => Err(unexpected(token)),
    }
}

fn unexpected(token: &Token) -> String {
    let text = match token {
        Token::Operator(operator) => (*operator).to_owned(),
        Token::Word(word) => plain(word).unwrap_or("word").to_owned(),
        Token::Redirect(_) => "redirection".to_owned(),
    };
    format!("Syntax error: \"{text}\" unexpected")
}

/// The text of a word without quotes or expansions.
fn plain(word: &Word) -> Option<&str> {
    match word.as_slice() {
        [Piece::Text { text, quoted: false }] => Some(text),
        _ => None,
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn reserved(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) => plain(word),
            Some(Token::Operator(operator)) => Some(operator),
            _ => None,
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.reserved() == Some(word) {
            self.at += 1;
            return Ok(());
        }
        Err(self.peek().map_or_else(|| "Syntax error: end of file unexpected".to_owned(), unexpected))
    }

    fn skip_ends(&mut self) {
        while matches!(self.peek(), Some(Token::Operator(";" | "\n"))) {
            self.at += 1;
        }
    }

    /// Commands up to one of the words in `ends`, which is left where it is.
    fn list(&mut self, ends: &[&str]) -> Result<List, String> {
        let (mut list, mut when) = (List::new(), When::Always);
        // Where the commands begin that `&` would put into the background.
        let mut begun = 0;
        loop {
            self.skip_ends();
            if self.peek().is_none() || self.reserved().is_some_and(|word| ends.contains(&word)) {
                return Ok(list);
            }
            list.push(self.pipeline(when)?);
            when = match self.peek() {
                Some(Token::Operator("&&")) => When::Succeeded,
                Some(Token::Operator("||")) => When::Failed,
                Some(Token::Operator(";" | "\n" | "&")) => When::Always,
                _ => return Ok(list),
            };
            if self.peek() == Some(&Token::Operator("&")) {
                let behind = list.split_off(begun);
                let commands = vec![Command::Background(behind)];
                list.push(Pipeline { when: When::Always, negated: false, commands });
            }
            if when == When::Always {
                begun = list.len();
            }
            self.at += 1;
        }
    }

    fn pipeline(&mut self, when: When) -> Result<Pipeline, String> {
        let negated = self.reserved() == Some("!");
        self.at += usize::from(negated);
        let mut commands = vec![self.command()?];
        while self.peek() == Some(&Token::Operator("|")) {
            self.at += 1;
            while self.peek() == Some(&Token::Operator("\n")) {
                self.at += 1;
            }
            commands.push(self.command()?);
        }
        Ok(Pipeline { when, negated, commands })
    }

    fn command(&mut self) -> Result<Command, String> {
        match self.reserved() {
            Some("if") => self.if_command(),
            Some("for") => self.for_command(),
            Some(word @ ("while" | "until")) => {
                let until = word == "until";
                self.while_command(until)
            }
            Some("case") => self.case_command(),
            Some(name) if self.is_function(name) => self.function(),
            Some(open @ ("{" | "(")) => {
                let (own_shell, close) = if open == "(" { (true, ")") } else { (false, "}") };
                self.at += 1;
                let body = self.list(&[close])?;
                self.expect(close)?;
                Ok(Command::Group { body, redirects: self.redirects(), own_shell })
            }
            _ => self.simple(),
        }
    }

    fn redirects(&mut self) -> Vec<Redirect> {
        let mut redirects = Vec::new();
        while let Some(Token::Redirect(redirect)) = self.peek() {
            redirects.push(redirect.clone());
            self.at += 1;
        }
        redirects
    }

    fn if_command(&mut self) -> Result<Command, String> {
        let (mut branches, mut otherwise) = (Vec::new(), List::new());
        self.expect("if")?;
        loop {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            match self.reserved() {
                Some("elif") => self.at += 1,
                Some("else") => {
                    self.at += 1;
                    otherwise = self.list(&["fi"])?;
                    break;
                }
                _ => break,
            }
        }
        self.expect("fi")?;
        Ok(Command::If { branches, otherwise })
    }

    fn for_command(&mut self) -> Result<Command, String> {
        self.expect("for")?;
        let name = self.reserved().unwrap_or_default().to_owned();
        self.at += 1;
        self.expect("in")?;
        let mut words = Vec::new();
        while let Some(Token::Word(word)) = self.peek() {
            words.push(word.clone());
            self.at += 1;
        }
        self.skip_ends();
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Ok(Command::For { name, words, body })
    }

    fn while_command(&mut self, until: bool) -> Result<Command, String> {
        self.at += 1;
        let condition = self.list(&["do"])?;
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Ok(Command::While { condition, until, body, redirects: self.redirects() })
    }

    fn case_command(&mut self) -> Result<Command, String> {
        self.at += 1;
        let word = self.any_word()?;
        self.skip_ends();
        self.expect("in")?;
        let mut branches = Vec::new();
        loop {
            self.skip_ends();
            if self.reserved() == Some("esac") {
                self.at += 1;
                return Ok(Command::Case { word, branches });
            }
            self.at += usize::from(self.reserved() == Some("("));
            let mut patterns = vec![self.any_word()?];
            while self.reserved() == Some("|") {
                self.at += 1;
                patterns.push(self.any_word()?);
            }
            self.expect(")")?;
            branches.push((patterns, self.list(&[";;", "esac"])?));
            self.at += usize::from(self.reserved() == Some(";;"));
        }
    }

    fn any_word(&mut self) -> Result<Word, String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            other => Err(other.map_or_else(|| "Syntax error: end of file unexpected".to_owned(), unexpected)),
        }
    }

    /// `name ()`
    fn is_function(&self, name: &str) -> bool {
        let next = |ahead: usize| self.tokens.get(self.at + ahead);
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && next(1) == Some(&Token::Operator("("))
            && next(2) == Some(&Token::Operator(")"))
    }

    fn function(&mut self) -> Result<Command, String> {
        let name = self.reserved().unwrap_or_default().to_owned();
        self.at += 3;
        while self.peek() == Some(&Token::Operator("\n")) {
            self.at += 1;
        }
        Ok(Command::Function { name, body: Box::new(self.command()?) })
    }

    fn simple(&mut self) -> Result<Command, String> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match self.peek() {
                Some(Token::Word(word)) => {
                    match assignment(word).filter(|_| words.is_empty()) {
                        Some(assignment) => assignments.push(assignment),
                        None => words.push(word.clone()),
                    }
                    self.at += 1;
                }
                Some(Token::Redirect(redirect)) => {
                    redirects.push(redirect.clone());
                    self.at += 1;
                }
                other => {
                    if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
                        return Err(other
                            .map_or_else(|| "Syntax error: end of file unexpected".to_owned(), unexpected));
                    }
                    return Ok(Command::Simple { assignments, words, redirects });
                }
            }
        }
    }
}

/// `name=value`, where the name is unquoted.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Piece::Text { text, quoted: false }) = word.first() else { return None };
    let (name, value) = text.split_once('=')?;
    let mut letters = name.chars();
    let first = letters.next()?;
    let sound = (first.is_ascii_alphabetic() || first == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    sound.then(|| {
        let mut rest = vec![Piece::Text { text: value.to_owned(), quoted: false }];
        rest.extend(word.iter().skip(1).cloned());
        (name.to_owned(), rest)
    })
}
