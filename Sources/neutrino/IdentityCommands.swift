import APISchema
import ArgumentParser
import ControllerServer
import Foundation
import Identity
import IdentityService
import Logging
import NetworkModel
import Store

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Manage the users, projects and roles of a server with --auth built-in.",
        discussion: """
            These commands work on the server's database itself (--database), whether or not the server runs: they are also the way back in for \
            an operator who is locked out. A running server goes by a change within a second. With a token the openstack client does the same \
            (openstack user create …).

            A project with a user that may use it:

              neutrino identity project create blue --database neutrino.db
              neutrino identity user create anna --database neutrino.db      (asks for the password)
              neutrino identity role add member --user anna --project blue --database neutrino.db
              eval "$(neutrino identity openrc anna --project blue --database neutrino.db)"

            Nobody knows the administrator's password any more:

              neutrino identity bootstrap --database neutrino.db
            """,
        subcommands: [
            IdentityBootstrap.self, IdentityUser.self, IdentityProject.self, IdentityRole.self, IdentityOpenRC.self,
            IdentityCloudsYAML.self,
            IdentityRotateKeys.self,
        ])
}

/// Which identity a command works on.
struct IdentityOptions: ParsableArguments {
    @Option(help: "The server's database: a SQLite file, or postgresql://user@host/database.")
    var database: String

    /// Opens the database, and closes it when the body is done. Mistakes become one sentence.
    func with<T: Sendable>(_ body: (IdentityService) async throws -> T) async throws -> T {
        guard let location = StoreLocation(database) else {
            throw ValidationError("'\(database)' names no database: give a file, or postgresql://user@host/database.")
        }
        if case .sqlite(let path) = location, !FileManager.default.fileExists(atPath: path) {
            throw CleanExit.failure("There is no database \(path): name the one that the server was started with.")
        }
        let logger = Logger(label: "identity") { LineLogHandler(logLevel: .warning, label: $0) }
        do {
            let store = try Store(location, logger: logger)
            let identity = IdentityService(
                store: store, logger: logger, now: { Timestamp(secondsSince1970: Int(Date().timeIntervalSince1970)) })
            let result: Result<T, any Error>
            do { result = .success(try await body(identity)) } catch { result = .failure(error) }
            await store.close()
            return try result.get()
        } catch let error as IdentityError {
            throw CleanExit.failure(error.message)
        } catch let error as StoreError {
            throw CleanExit.failure(error.description)
        }
    }
}

struct IdentityBootstrap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap", abstract: "Make the administrator, or give it back its roles and a new password.",
        discussion: """
            Makes what is missing of the default domain, the standard roles, the project admin and the user admin, as the server's first start \
            does. The password is that of NEUTRINO_ADMIN_PASSWORD, or a new one that is printed.
            """)

    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        let given = try AuthenticationOptions.givenPassword()
        let password = given ?? RandomBytes.hexadecimal(16)
        try await identity.with { _ = try await $0.bootstrap(password: password) }
        print(given == nil ? "The password of admin is \(password)" : "The user admin has the password that was given.")
    }
}

struct IdentityRotateKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-keys", abstract: "Sign tokens with a new key from now on.",
        discussion: "Tokens that are out stay valid until they expire, unless --end-tokens.")

    @OptionGroup var identity: IdentityOptions
    @Flag(help: "Forget the earlier keys: every token ends, and everybody logs in again.") var endTokens = false

    func run() async throws {
        try await identity.with { try await $0.rotateKeys(endsTokens: endTokens) }
        print(endTokens ? "All tokens have ended." : "New tokens have a new key.")
    }
}

// MARK: Users

struct IdentityUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Create, list, change and delete users.",
        subcommands: [UserCreate.self, UserList.self, UserSetPassword.self, UserEnable.self, UserDisable.self, UserDelete.self])
}

/// Where a command has a user's password from.
enum PasswordInput {
    static let variable = "NEUTRINO_PASSWORD"

    /// From NEUTRINO_PASSWORD, or the first line of standard input, which a terminal does not show.
    static func read(_ user: String) throws -> String {
        if let password = ProcessInfo.processInfo.environment[variable], !password.isEmpty { return password }
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(), !line.isEmpty else {
                throw CleanExit.failure("No password: give it in \(variable) or on standard input.")
            }
            return line
        }
        guard let first = getpass("Password of \(user): ").map({ String(cString: $0) }), !first.isEmpty,
            let second = getpass("Again: ").map({ String(cString: $0) })
        else { throw CleanExit.failure("No password was given.") }
        guard first == second else { throw CleanExit.failure("The passwords differ.") }
        return first
    }
}

struct UserCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a user.",
        discussion: """
            The password comes from NEUTRINO_PASSWORD, from standard input, or is asked for. A user can do nothing before it has a role in a \
            project: neutrino identity role add member --user NAME --project PROJECT
            """)

    @Argument(help: "The user's name.") var name: String
    @OptionGroup var identity: IdentityOptions
    @Option(help: "The project of its tokens when a client names none.") var defaultProject: String?

    func run() async throws {
        let password = try PasswordInput.read(name)
        let id = try await identity.with { identity in
            var members: [String: JSONValue] = ["name": .string(name), "password": .string(password)]
            if let defaultProject { members["default_project_id"] = .string(try await identity.find(Project.self, defaultProject).id) }
            return try await identity.create(User.self, members).id
        }
        print(id)
    }
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the users: id, name, and 'disabled'.")
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        for user in try await identity.with({ try await $0.list(User.self) }) {
            print("\(user.id)  \(user.name)\(user.isEnabled ? "" : "  disabled")")
        }
    }
}

struct UserSetPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-password", abstract: "Give a user a new password; its tokens end.",
        discussion: "The password comes from NEUTRINO_PASSWORD, from standard input, or is asked for.")

    @Argument(help: "The user, by name or id.") var user: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        let password = try PasswordInput.read(user)
        try await identity.with { try await $0.setPassword(ofUser: try await $0.find(User.self, user).id, password) }
    }
}

struct UserEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enable", abstract: "Let a user log in again.")
    @Argument(help: "The user, by name or id.") var user: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { _ = try await $0.update(User.self, try await $0.find(User.self, user).id, ["enabled": true]) }
    }
}

struct UserDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "disable", abstract: "Keep a user out; its tokens end.")
    @Argument(help: "The user, by name or id.") var user: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { _ = try await $0.update(User.self, try await $0.find(User.self, user).id, ["enabled": false]) }
    }
}

struct UserDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete a user; its tokens end.")
    @Argument(help: "The user, by name or id.") var user: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { try await $0.delete(User.self, try await $0.find(User.self, user).id) }
    }
}

// MARK: Projects

struct IdentityProject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Create, list and delete projects.",
        subcommands: [ProjectCreate.self, ProjectList.self, ProjectDelete.self])
}

struct ProjectCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Create a project.")
    @Argument(help: "The project's name.") var name: String
    @OptionGroup var identity: IdentityOptions
    @Option(help: "What it is for.") var description = ""

    func run() async throws {
        let project = try await identity.with {
            try await $0.create(Project.self, ["name": .string(name), "description": .string(description)])
        }
        print(project.id)
    }
}

struct ProjectList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the projects: id and name.")
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        for project in try await identity.with({ try await $0.list(Project.self) }) { print("\(project.id)  \(project.name)") }
    }
}

struct ProjectDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a project.",
        discussion: "Its networks stay, for administrators: delete them before, with the openstack client.")
    @Argument(help: "The project, by name or id.") var project: String
    @OptionGroup var identity: IdentityOptions

    func run() async throws {
        try await identity.with { try await $0.delete(Project.self, try await $0.find(Project.self, project).id) }
    }
}
