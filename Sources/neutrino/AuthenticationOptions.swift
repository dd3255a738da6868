import ArgumentParser
import ControllerServer

/// The ways to authenticate that `--auth` names.
enum AuthenticationName: String, CaseIterable, ExpressibleByArgument {
    case none
    case keystone
}

/// Who may call a server.
struct AuthenticationOptions: ParsableArguments {
    @Option(help: "How callers are authenticated: none (everybody is an administrator), or keystone (tokens of a Keystone).")
    var auth: AuthenticationName = .none

    @OptionGroup var keystone: KeystoneOptions

    func validate() throws {
        if auth != .keystone, keystone.isGiven { throw ValidationError("Options of Keystone are given, but not --auth keystone.") }
    }

    func apply(to configuration: inout ServerConfiguration) throws {
        switch auth {
        case .none: configuration.authentication = .none
        case .keystone: configuration.authentication = .keystone(try keystone.configuration())
        }
    }
}
