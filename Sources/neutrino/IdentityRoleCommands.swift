import APISchema
import ArgumentParser
import Identity
import IdentityService

struct IdentityRole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "role", abstract: "Give and take roles; create, list and delete them.",
        discussion: """
            admin administers everything; manager administers a project; member uses it; reader looks at it. Each has what the next one has. \
            service is for services such as Nova, which look at others' tokens.
            """,
        subcommands: [RoleAdd.self, RoleRemove.self, RoleAssignments.self, RoleCreate.self, RoleList.self, RoleDelete.self])
}

/// Who, and where.
struct AssignmentOptions: ParsableArguments {
    @Option(help: "The user, by name or id.") var user: String
    @Option(help: "The project, by name or id.") var project: String?
    @Option(help: "The domain, by name or id.") var domain: String?
    @Flag(help: "In the whole system.") var system = false

    func validate() throws {
        guard (project == nil ? 0 : 1) + (domain == nil ? 0 : 1) + (system ? 1 : 0) == 1 else {
            throw ValidationError("Say where: --project, --domain or --system.")
        }
    }

    func assignment(_ role: String, _ identity: IdentityService) async throws -> Assignment {
        let scope: Scope
        if let project {
            scope = .project(try await identity.find(Project.self, project).id)
        } else if let domain {
            scope = .domain(try await identity.find(Domain.self, domain).id)
        } else {
            scope = .system
        }
        return Assignment(
            userID: try await identity.find(User.self, user).id, roleID: try await identity.find(Role.self, role).id, scope: scope)
    }
}

struct RoleAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Give a user a role.",
        discussion: "neutrino identity role add member --user anna --project blue --database …")
    @Argument(help: "The role, by name or id.") var role: String
    @OptionGroup var place: AssignmentOptions
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { try await $0.grant(try await place.assignment(role, $0)) }
    }
}

struct RoleRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "remove", abstract: "Take a role from a user.")
    @Argument(help: "The role, by name or id.") var role: String
    @OptionGroup var place: AssignmentOptions
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { try await $0.revoke(try await place.assignment(role, $0)) }
    }
}

struct RoleAssignments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "assignments", abstract: "List who has which role where.")
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        for named in try await identity.with({ try await $0.assignments(.init()) }) {
            let place =
                switch named.assignment.scope {
                case .project(let id): "project \(named.project?.name ?? id)"
                case .domain(let id): "domain \(named.scopeDomain?.name ?? id)"
                case .system: "system"
                }
            print("\(named.user.name)  \(named.role.name)  \(place)")
        }
    }
}

struct RoleCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a role, for rules of your own policy.")
    @Argument(help: "The role's name.") var name: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws { print(try await identity.with { try await $0.create(Role.self, ["name": .string(name)]).id }) }
}

struct RoleList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the roles: id and name.")
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        for role in try await identity.with({ try await $0.list(Role.self) }) { print("\(role.id)  \(role.name)") }
    }
}

struct RoleDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete a role that was created.")
    @Argument(help: "The role, by name or id.") var role: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { try await $0.delete(Role.self, try await $0.find(Role.self, role).id) }
    }
}
