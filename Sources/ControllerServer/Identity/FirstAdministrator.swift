import Identity
import IdentityService
import Logging

/// Makes the first administrator when a server meets an empty identity, and leaves its password in a file.
struct FirstAdministrator: Sendable {
    private static let passwordBytes = 16

    let identity: IdentityService
    let settings: BuiltInSettings
    let logger: Logger

    /// The password is in its file before it is in the store: whoever is killed in between has lost nothing.
    func makeIfNeeded() async throws {
        guard try await identity.isEmpty() else { return }
        if let password = settings.administratorPassword {
            try await identity.bootstrap(password: password, onlyIfEmpty: true)
            return
        }
        let password = RandomBytes.hexadecimal(Self.passwordBytes)
        let path = "\(settings.stateDirectory)/\(BuiltInSettings.passwordFileName)"
        if let reason = PrivateFile.write(password + "\n", to: path) { throw ServerStartError.unwritable(path: path, reason: reason) }
        if try await identity.bootstrap(password: password, onlyIfEmpty: true) {
            logger.notice("The user admin was made; its password is in a file", metadata: ["path": "\(path)"])
        } else {
            logger.notice("Another server made the user admin at the same moment, and has its password", metadata: ["void": "\(path)"])
        }
    }
}
