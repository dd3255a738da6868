import Identity

/// Why a server or an agent cannot start as it was told to: a sentence that says what to do.
public enum ServerStartError: Error, Hashable, Sendable, CustomStringConvertible {
    case shortAgentSecret(String)
    case missing(String)
    case exposed(String)
    case unreadable(path: String, reason: String)
    case unwritable(path: String, reason: String)

    public var description: String {
        switch self {
        case .shortAgentSecret(let path):
            "The agents' secret in \(path) has fewer than \(AgentSecret.minimumLength) characters: remove the file, and the server makes another."
        case .missing(let path): "There is no file \(path): copy it from the server, which prints where it is at its first start."
        case .exposed(let path): "Everybody may read the secret in \(path): chmod 600 \(path)."
        case .unreadable(let path, let reason): "The file \(path) cannot be read: \(reason)."
        case .unwritable(let path, let reason):
            "The file \(path) cannot be written (\(reason)): name a directory that exists and may be written with --state-directory."
        }
    }
}
