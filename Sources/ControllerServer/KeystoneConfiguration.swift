/// Where Keystone is, and who asks it: the user with which this server validates its callers' tokens.
public struct KeystoneConfiguration: Sendable {
    /// Where this server reaches Keystone: `http://host:5000`, with or without the version's `/v3`.
    public var url: String
    /// Where clients reach Keystone: the answer 401 names it. Nil: the same address.
    public var publicURL: String?
    /// The service user; by Keystone's policy it needs a role that may validate tokens: `admin` or `service` in the service project.
    public var user: String
    public var password: String
    public var project: String
    /// The names of the domains of user and project.
    public var userDomain: String
    public var projectDomain: String
    /// How long to connect may take.
    public var connectSeconds = 3
    /// How long one question with its answer may take.
    public var answerSeconds = 10

    public init(
        url: String, publicURL: String? = nil, user: String, password: String, project: String = "service", userDomain: String = "Default",
        projectDomain: String = "Default"
    ) {
        self.url = url
        self.publicURL = publicURL
        self.user = user
        self.password = password
        self.project = project
        self.userDomain = userDomain
        self.projectDomain = projectDomain
    }

    /// The address of the version 3 of the API, without a slash at its end.
    var versionURL: String {
        var base = url[...]
        while base.hasSuffix("/") { base.removeLast() }
        return base.hasSuffix("/v3") ? String(base) : base + "/v3"
    }
}
