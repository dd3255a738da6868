import ArgumentParser
import ControllerServer
import Foundation
import Identity
import IdentityService

/// What clients need to log in as a user.
struct ClientAccess: ParsableArguments {
    @Argument(help: "The user, by name or id.") var user: String
    @Option(help: "The project, by name or id (default: the user's default project, or the only one that it has a role in).")
    var project: String?
    @OptionGroup var identity: IdentityOptions
    @Option(help: "Where clients reach the server.") var url = "http://127.0.0.1:9696"

    struct Found: Sendable {
        var user: User
        var userDomain: Domain
        var project: Project
        var projectDomain: Domain
    }

    func find() async throws -> Found {
        try await identity.with { identity in
            let user = try await identity.find(User.self, user)
            let project = try await Self.project(of: user, wanted: project, identity)
            return Found(
                user: user, userDomain: try await identity.find(Domain.self, user.domainID ?? Domain.defaultID), project: project,
                projectDomain: try await identity.find(Domain.self, project.domainID ?? Domain.defaultID))
        }
    }

    private static func project(of user: User, wanted: String?, _ identity: IdentityService) async throws -> Project {
        let projects = try await identity.projects(ofUser: user.id)
        if let wanted {
            let project = try await identity.find(Project.self, wanted)
            guard projects.contains(project) else {
                throw CleanExit.failure(
                    "\(user.name) has no role in \(project.name): neutrino identity role add member --user \(user.name) --project \(project.name)"
                )
            }
            return project
        }
        if let usual = projects.first(where: { $0.id == user.defaultProjectID }) { return usual }
        guard projects.count <= 1 else {
            throw CleanExit.failure("\(user.name) has roles in \(projects.map(\.name).joined(separator: ", ")): choose one with --project.")
        }
        guard let project = projects.first else {
            throw CleanExit.failure(
                "\(user.name) has a role in no project: neutrino identity role add member --user \(user.name) --project PROJECT")
        }
        return project
    }

    /// The password that the server's first start left beside the SQLite file, for the administrator.
    var passwordFile: String? {
        guard user == IdentityService.administratorName, !database.hasPrefix("postgres") else { return nil }
        let path = ((database as NSString).deletingLastPathComponent as NSString).appendingPathComponent(BuiltInSettings.passwordFileName)
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }

    private var database: String { identity.database }
}

struct IdentityOpenRC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openrc",
        abstract: "Print the environment in which clients act as a user: eval \"$(neutrino identity openrc anna …)\".",
        discussion: """
            Passwords are stored as hashes only, so it asks for the password when it is evaluated, unless OS_PASSWORD is set; admin's is taken from \
            the file that the first start wrote, while there is one.
            """)

    @OptionGroup var access: ClientAccess

    func run() async throws {
        let found = try await access.find()
        let values = [
            ("OS_AUTH_TYPE", "password"), ("OS_AUTH_URL", access.url + "/identity/v3"), ("OS_IDENTITY_API_VERSION", "3"),
            ("OS_USERNAME", found.user.name), ("OS_USER_DOMAIN_ID", found.userDomain.id), ("OS_PROJECT_NAME", found.project.name),
            ("OS_PROJECT_DOMAIN_ID", found.projectDomain.id), ("OS_REGION_NAME", "RegionOne"),
        ]
        print("unset \(Self.foreignVariables.joined(separator: " "))")
        for (name, value) in values { print("export \(name)=\(Self.quoted(value))") }
        if let file = access.passwordFile {
            print("export OS_PASSWORD=\"$(head -n 1 \(Self.quoted(file)))\"")
        } else {
            let prompt = Self.quoted("Password of \(found.user.name): ")
            print(
                "if [ -z \"${OS_PASSWORD:-}\" ]; then printf %s \(prompt) >&2; stty -echo; read -r OS_PASSWORD; stty echo; echo >&2; "
                    + "export OS_PASSWORD; fi")
        }
    }

    /// What would contradict the rest.
    static let foreignVariables = [
        "OS_ENDPOINT", "OS_TOKEN", "OS_CLOUD", "OS_SYSTEM_SCOPE", "OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_PROJECT_ID", "OS_USER_ID",
        "OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME",
    ]

    /// For a shell, whatever is in it.
    static func quoted(_ text: String) -> String { "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'" }
}

struct IdentityCloudsYAML: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clouds-yaml", abstract: "Print a clouds.yaml with which clients act as a user.",
        discussion: """
            neutrino identity clouds-yaml anna --project blue --database neutrino.db > ~/.config/openstack/clouds.yaml
            openstack --os-cloud neutrino network list

            The password is not in it, since only its hash is stored: add 'password:' under 'auth:', or set OS_PASSWORD.
            """)

    @OptionGroup var access: ClientAccess
    @Option(help: "The name of the cloud in the file.") var cloud = "neutrino"

    func run() async throws {
        let found = try await access.find()
        print(
            """
            clouds:
              \(Self.quoted(cloud)):
                auth_type: password
                auth:
                  auth_url: \(Self.quoted(access.url + "/identity/v3"))
                  username: \(Self.quoted(found.user.name))
                  user_domain_id: \(Self.quoted(found.userDomain.id))
                  project_name: \(Self.quoted(found.project.name))
                  project_domain_id: \(Self.quoted(found.projectDomain.id))
                identity_api_version: 3
                region_name: RegionOne
            """)
    }

    /// A YAML scalar in double quotes, which are JSON's.
    static func quoted(_ text: String) -> String {
        (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self).replacingOccurrences(of: "\\/", with: "/") } ?? "\"\""
    }
}
