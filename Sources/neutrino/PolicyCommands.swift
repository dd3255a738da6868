import APISchema
import AccessPolicy
import ArgumentParser
import ControllerServer
import Foundation

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Show the rules of who may do what, and explain a decision.",
        discussion: """
            Neutron's default rules are built in; a server takes an operator's from the file that --policy-file names. These commands read \
            such a file as the server does, and need no server.

              neutrino policy check update_network --role member --project blue --target '{"project_id": "green"}'
              neutrino policy check create_port:fixed_ips:ip_address --role member --project blue \\
                  --target '{"network": {"project_id": "blue", "shared": false}}'
              neutrino policy list --policy-file policy.yaml --overridden
              neutrino policy show get_network
            """,
        subcommands: [PolicyCheckCommand.self, PolicyListCommand.self, PolicyShowCommand.self])
}

struct PolicyFileOptions: ParsableArguments {
    @Option(help: "A file with rules that take the place of the defaults: policy.yaml, or JSON.")
    var policyFile: String?

    func rules() throws -> PolicyRules {
        guard let policyFile else { return .defaults }
        do {
            let rules = try PolicyFile.read(policyFile)
            for warning in rules.warnings { FileHandle.standardError.write(Data("neutrino: \(warning)\n".utf8)) }
            return rules
        } catch {
            throw CleanExit.failure(error.description)
        }
    }
}

struct PolicyCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Explain a decision: which rule decided, and which part of it failed.",
        discussion: """
            Prints each rule as a tree, and what was compared. The exit code is 0 when all rules pass and 1 when one fails. Roles imply others \
            as in a fresh Keystone: admin, manager, member, reader.

            The target is a resource's JSON object; what it belongs to are objects in it: {"network": {"project_id": …}}, \
            {"security_group": …}, and "ext_parent" for what a path names before it (the floating IP of a port forwarding).
            """)

    @Argument(help: "Rules that must all pass: an operation, and attributes that a request gives (create_network:shared).")
    var rules: [String]

    @Option(help: "A role of the caller. May be given several times.")
    var role: [String] = []
    @Option(help: "A role of the service that passes the request on. May be given several times.")
    var serviceRole: [String] = []
    @Option(help: "The id of the project of the caller's token.")
    var project: String = ""
    @Option(help: "The id of the caller.")
    var user: String = ""
    @Option(help: "The id of the domain that the token is for.")
    var domain: String = ""
    @Flag(help: "The token is for the whole system.")
    var systemScope = false
    @Flag(help: "Take the roles as they are given.")
    var noImpliedRoles = false
    @Option(help: "What the request is about: a JSON object, or @FILE with one.")
    var target: String = "{}"
    @OptionGroup var file: PolicyFileOptions

    func run() throws {
        let rules = try file.rules()
        let caller = Caller(
            userID: user, projectID: project, isAdmin: false, roles: Self.roles(role, areImplied: !noImpliedRoles),
            serviceRoles: Set(serviceRole.map { $0.lowercased() }), isSystemScoped: systemScope, domainID: domain)
        let target = WrittenTarget(try members())
        var isAllowed = true
        for rule in self.rules {
            let explanation = try PolicyExplanation(rule, rules, caller: caller, target: target)
            print(explanation.lines.joined(separator: "\n"))
            isAllowed = isAllowed && explanation.isAllowed
        }
        print(isAllowed ? "allowed" : "refused")
        if !isAllowed { throw ExitCode(1) }
    }

    private static let implied = ["admin", "manager", "member", "reader"]

    private static func roles(_ names: [String], areImplied: Bool) -> Set<String> {
        names.map { $0.lowercased() }.reduce(into: []) { roles, name in
            roles.insert(name)
            if areImplied, let position = implied.firstIndex(of: name) { roles.formUnion(implied[position...]) }
        }
    }

    private func members() throws -> [String: JSONValue] {
        var text = target
        if target.hasPrefix("@") {
            let path = String(target.dropFirst())
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CleanExit.failure("The file \(path) with the target cannot be read.")
            }
            text = String(decoding: data, as: UTF8.self)
        }
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONParser.parse(text)
        } catch {
            throw CleanExit.failure("The target is no JSON: \(error.description).")
        }
        guard let members = value.objectValue else { throw CleanExit.failure("The target is no JSON object.") }
        return members
    }
}

struct PolicyListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Print the rules in force, in the form of a policy file.")

    @Flag(help: "Only the rules that the file has.")
    var overridden = false
    @OptionGroup var file: PolicyFileOptions

    func run() throws {
        let rules = try file.rules()
        for name in rules.names {
            guard let rule = rules[name], rule.isOverridden || !overridden else { continue }
            print("\(JSONValue.string(name).text): \(JSONValue.string(rule.check.description).text)")
        }
    }
}

struct PolicyShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Print a rule, and the rules that it is made of.")

    @Argument(help: "The name of the rule.")
    var rule: String
    @OptionGroup var file: PolicyFileOptions

    func run() throws {
        let rules = try file.rules()
        guard let shown = rules[rule] else {
            throw CleanExit.failure(
                "There is no rule '\(rule)'; 'default' decides where an operation has none. See 'neutrino policy list'.")
        }
        print("\(rule): \(shown.check)")
        if shown.isOverridden { print("default: \(shown.defaultCheck.map(\.description) ?? "none")") }
        print("scope: \(shown.needsProjectScope ? "project" : "any")")
        var known: Set = [rule]
        var open = shown.check.ruleNames
        while let name = open.popLast() {
            guard known.insert(name).inserted else { continue }
            print("\(name): \(rules[name]?.check.description ?? "no such rule: 'default' decides")")
            open += rules[name]?.check.ruleNames ?? []
        }
    }
}
