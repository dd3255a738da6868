import Identity

/// How the server learns who calls.
public enum AuthenticationMode: Sendable {
    /// Everybody is an administrator of the project that `X-Project-Id` names. For laboratories.
    case none
    /// Users, projects and roles in the store, with Keystone's own paths under `/identity/v3`.
    case builtIn(BuiltInSettings)
    /// By tokens that a Keystone elsewhere finds valid.
    case keystone(KeystoneConfiguration)
}

/// What an operator decides about the built-in identity.
public struct BuiltInSettings: Sendable {
    /// The file of the administrator's first password, in the state directory.
    public static let passwordFileName = "admin-password"

    /// For how long a token is valid.
    public var tokenLifetimeSeconds: Int
    /// Where the first start writes the administrator's password.
    public var stateDirectory: String
    /// The administrator's password at the first start; nil: a random one.
    public var administratorPassword: String?
    /// What the hash of a new password costs whoever makes it, and whoever guesses.
    public var passwordCost: PasswordHash.Cost

    public init(
        tokenLifetimeSeconds: Int = 3600, stateDirectory: String, administratorPassword: String? = nil,
        passwordCost: PasswordHash.Cost = .standard
    ) {
        self.tokenLifetimeSeconds = tokenLifetimeSeconds
        self.stateDirectory = stateDirectory
        self.administratorPassword = administratorPassword
        self.passwordCost = passwordCost
    }
}
