import Identity
import IdentityService
import Logging

/// The file with the secret that agents share with the server.
public enum AgentSecretFile {
    /// In a server's state directory.
    public static let name = "agent-secret"

    /// The secret in a file.
    public static func read(_ path: String) throws(ServerStartError) -> String {
        switch PrivateFile.read(path) {
        case .text(let text):
            guard AgentSecret(text) != nil else { throw .shortAgentSecret(path) }
            return text
        case .missing: throw .missing(path)
        case .exposed: throw .exposed(path)
        case .unreadable(let reason): throw .unreadable(path: path, reason: reason)
        }
    }

    /// The secret in a file, which is made when there is none.
    static func readOrMake(_ path: String, _ logger: Logger) throws(ServerStartError) -> String {
        guard PrivateFile.read(path) == .missing else { return try read(path) }
        let text = RandomBytes.hexadecimal(AgentSecret.madeBytes)
        if let reason = PrivateFile.write(text + "\n", to: path) { throw .unwritable(path: path, reason: reason) }
        logger.notice("A secret for agents and metrics was made; give each agent a copy", metadata: ["path": "\(path)"])
        return text
    }
}
