import APISchema

/// Why a rule cannot be read.
public struct PolicySyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
}

/// Reads rules in oslo.policy's language: `not` binds closest, then `and`, then `or`; a list of lists is an `or` of `and`s.
public struct PolicyParser {
    /// Brackets and negations within each other; more are no rule of a person.
    private static let maximumDepth = 32

    private var tokens: [String]
    private var position = 0
    private var depth = 0

    /// Reads a rule as files have it: a text, or the older list of lists of checks.
    public static func parse(_ value: JSONValue) throws(PolicySyntaxError) -> PolicyCheck {
        switch value {
        case .string(let text): return try parse(text)
        case .array(let alternatives): return try parse(alternatives)
        default: throw PolicySyntaxError(description: "a rule is a text, or a list of lists of checks, not \(value.text)")
        }
    }

    public static func parse(_ text: String) throws(PolicySyntaxError) -> PolicyCheck {
        let tokens = tokens(of: text)
        guard !tokens.isEmpty else { return .always }
        var parser = PolicyParser(tokens: tokens)
        let check = try parser.alternatives()
        guard parser.position == tokens.count else {
            throw PolicySyntaxError(description: "'\(tokens[parser.position])' is not expected there; is an 'and' or an 'or' missing?")
        }
        return check
    }

    /// No alternative at all passes, and only empty ones never do.
    private static func parse(_ alternatives: [JSONValue]) throws(PolicySyntaxError) -> PolicyCheck {
        guard !alternatives.isEmpty else { return .always }
        var checks: [PolicyCheck] = []
        for alternative in alternatives {
            let texts = alternative.arrayValue ?? [alternative]
            var conjunction: [PolicyCheck] = []
            for text in texts {
                guard let text = text.stringValue else {
                    throw PolicySyntaxError(description: "a list of a rule holds texts, not \(text.text)")
                }
                conjunction.append(try check(text))
            }
            if let only = conjunction.first { checks.append(conjunction.count == 1 ? only : .all(conjunction)) }
        }
        return checks.count == 1 ? checks[0] : checks.isEmpty ? .never : .any(checks)
    }

    // MARK: Words

    /// Words between spaces, with the brackets around them apart. Brackets inside of a word are its own: `%(name)s`.
    private static func tokens(of text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).flatMap { word -> [String] in
            let opened = word.drop { $0 == "(" }
            var inner = opened
            while inner.last == ")" { inner = inner.dropLast() }
            return Array(repeating: "(", count: word.count - opened.count) + (inner.isEmpty ? [] : [String(inner)])
                + Array(repeating: ")", count: opened.count - inner.count)
        }
    }

    private init(tokens: [String]) { self.tokens = tokens }

    private var next: String? { position < tokens.count ? tokens[position] : nil }

    private mutating func take(_ word: String) -> Bool {
        guard next?.lowercased() == word else { return false }
        position += 1
        return true
    }

    // MARK: Grammar

    private mutating func alternatives() throws(PolicySyntaxError) -> PolicyCheck {
        var checks = [try conjunction()]
        while take("or") { checks.append(try conjunction()) }
        return checks.count == 1 ? checks[0] : .any(checks)
    }

    private mutating func conjunction() throws(PolicySyntaxError) -> PolicyCheck {
        var checks = [try operand()]
        while take("and") { checks.append(try operand()) }
        return checks.count == 1 ? checks[0] : .all(checks)
    }

    private mutating func operand() throws(PolicySyntaxError) -> PolicyCheck {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw PolicySyntaxError(description: "the rule nests deeper than \(Self.maximumDepth)")
        }
        if take("not") { return .not(try operand()) }
        if take("(") {
            let check = try alternatives()
            guard take(")") else { throw PolicySyntaxError(description: "a ')' is missing") }
            return check
        }
        guard let word = next else { throw PolicySyntaxError(description: "the rule ends where a check is expected") }
        guard ![")", "and", "or"].contains(word.lowercased()) else {
            throw PolicySyntaxError(description: "a check is expected, not '\(word)'")
        }
        position += 1
        return try Self.check(word)
    }

    // MARK: Checks

    private static func check(_ word: String) throws(PolicySyntaxError) -> PolicyCheck {
        if word == "@" { return .always }
        if word == "!" { return .never }
        guard let colon = word.firstIndex(of: ":") else {
            throw PolicySyntaxError(description: "'\(word)' is no check: checks are KIND:TEXT, @ or !")
        }
        let (kind, match) = (String(word[..<colon]), String(word[word.index(after: colon)...]))
        switch kind {
        case "rule": return .rule(match)
        case "role": return .role(try template(match))
        case "field": return .field(try field(match))
        case "http", "https": return .unknown(word)
        case "project_id", "tenant_id":
            let template = try template(match)
            return template.singleField.map { .owner(field: $0) } ?? .equal(.credential(.projectID), template)
        default: break
        }
        if let literal = literal(kind) { return .equal(.literal(literal), try template(match)) }
        guard let credential = PolicyCredential(name: kind) else { return .unknown(word) }
        return .equal(.credential(credential), try template(match))
    }

    private static func field(_ match: String) throws(PolicySyntaxError) -> PolicyField {
        guard let colon = match.firstIndex(of: ":"), let equals = match[colon...].firstIndex(of: "=") else {
            throw PolicySyntaxError(description: "'field:\(match)' is not field:RESOURCE:NAME=VALUE")
        }
        let value = String(match[match.index(after: equals)...])
        var expectation = PolicyField.Expectation.value(value)
        if value.hasPrefix("~") {
            expectation = .pattern(try PolicyPattern(String(value.dropFirst())))
        }
        return PolicyField(
            resource: String(match[..<colon]), name: unified(String(match[match.index(after: colon)..<equals])), expectation: expectation)
    }

    /// Python's literals; nil for what is none.
    private static func literal(_ kind: String) -> String? {
        if let quote = kind.first, quote == "'" || quote == "\"" {
            return kind.count >= 2 && kind.last == quote ? String(kind.dropFirst().dropLast()) : nil
        }
        return ["True", "False", "None"].contains(kind) || Int(kind) != nil || Double(kind) != nil ? kind : nil
    }

    /// A text with `%(name)s` in it; `%%` is one `%`.
    private static func template(_ text: String) throws(PolicySyntaxError) -> PolicyTemplate {
        var parts: [PolicyTemplate.Part] = []
        var constant = ""
        var rest = Substring(text)
        while let character = rest.first {
            rest.removeFirst()
            guard character == "%" else {
                constant.append(character)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                constant.append("%")
                continue
            }
            guard rest.first == "(", let end = rest.firstIndex(of: ")"), rest[rest.index(after: end)...].first == "s" else {
                throw PolicySyntaxError(description: "'\(text)' has a '%' that begins no %(NAME)s")
            }
            if !constant.isEmpty { parts.append(.text(constant)) }
            constant = ""
            parts.append(.field(unified(String(rest[rest.index(after: rest.startIndex)..<end]))))
            rest = rest[rest.index(end, offsetBy: 2)...]
        }
        if !constant.isEmpty || parts.isEmpty { parts.append(.text(constant)) }
        return PolicyTemplate(parts: parts)
    }

    /// `tenant_id` is `project_id`, and `network_tenant_id` an older way to write `network:tenant_id`.
    private static func unified(_ field: String) -> String {
        if field == "tenant_id" { return "project_id" }
        for parent in ["network", "security_group", "ext_parent"] {
            for name in ["tenant_id", "project_id"] where field == "\(parent):\(name)" || field == "\(parent)_\(name)" {
                return "\(parent):project_id"
            }
        }
        return field
    }
}
