/// Who asks. Authentication makes it; where there is none (`none`), everybody is an administrator of the project that the request names.
public struct Caller: Sendable, Hashable {
    /// The project that the request acts for; empty when it names none.
    public var projectID: String
    public var isAdmin: Bool
    public var roles: Set<String>

    public init(projectID: String, isAdmin: Bool, roles: Set<String> = []) {
        self.projectID = projectID
        self.isAdmin = isAdmin
        self.roles = roles
    }

    /// The server itself: for what it makes on its own account.
    public static let server = Caller(projectID: "", isAdmin: true)
}
