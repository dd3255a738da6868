import Synchronization

/// A regular expression of a rule, read once: rules ask for it of every row of a list.
///
/// As in Python it matches at the beginning of a text, and its characters are Unicode's scalar values: `^e` matches an `e` with a combining accent.
public final class PolicyPattern: Sendable {
    public let text: String
    /// The standard library does not let threads share an expression.
    private let expression: Mutex<Regex<AnyRegexOutput>>

    public init(_ text: String) throws(PolicySyntaxError) {
        guard let expression = try? Regex(text) else { throw PolicySyntaxError(description: "'\(text)' is no regular expression") }
        self.text = text
        self.expression = Mutex(expression.matchingSemantics(.unicodeScalar))
    }

    func matchesBeginning(of text: String) -> Bool { expression.withLock { (try? $0.prefixMatch(in: text)) != nil } }
}

extension PolicyPattern: Hashable {
    public static func == (first: PolicyPattern, second: PolicyPattern) -> Bool { first.text == second.text }
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
