import Crypto

/// What agents, and who reads the metrics, present as `Authorization: Bearer …`: one text that a server and its agents share.
public struct AgentSecret: Sendable {
    /// Bytes of a secret that the server makes; it is written with two hexadecimal digits for each.
    public static let madeBytes = 32
    /// A text that can be guessed is refused.
    public static let minimumLength = 16

    private let digest: SHA256Digest

    /// - Returns: nil when the text is shorter than ``minimumLength``.
    public init?(_ text: String) {
        guard text.utf8.count >= Self.minimumLength else { return nil }
        digest = SHA256.hash(data: Array(text.utf8))
    }

    /// Whether the value of `Authorization` presents the secret. Digests are compared, in constant time, so neither content nor length shows.
    public func isPresented(by authorization: String) -> Bool {
        let scheme = "bearer "
        guard authorization.utf8.count > scheme.utf8.count, authorization.prefix(scheme.count).lowercased() == scheme else { return false }
        return SHA256.hash(data: Array(authorization.dropFirst(scheme.count).utf8)) == digest
    }
}
