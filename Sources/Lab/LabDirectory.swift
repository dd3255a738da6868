import APISchema
import Glibc
import Synchronization

/// A lab's state directory: `lab.json`, the logs, and what server and agents keep.
///
/// Every lab is known by a link or directory with its name in ``LabDirectory/registry``.
final class LabDirectory: Sendable {
    static let registry = "/run/neutrino-labs"

    let path: String

    init(path: String) { self.path = path }

    /// Makes the directory of a new lab, at `path` or in the registry.
    static func make(name: String, path: String?) throws(LabError) -> LabDirectory {
        try Files.makeDirectory(registry)
        let entry = "\(registry)/\(name)"
        guard let path else {
            guard mkdir(entry, 0o755) == 0 else { throw taken(name) }
            return LabDirectory(path: entry)
        }
        try Files.makeDirectory(path)
        guard Files.list(path).isEmpty, let absolute = Files.resolve(path) else {
            throw LabError("\(path) is not empty: name a new directory for the lab's state.")
        }
        guard symlink(absolute, entry) == 0 else { throw taken(name) }
        return LabDirectory(path: absolute)
    }

    static func find(name: String) throws(LabError) -> LabDirectory {
        guard let path = Files.resolve("\(registry)/\(name)") else {
            let others = names()
            let hint =
                others.isEmpty
                ? "none is running; 'neutrino lab up' starts one" : "running: \(others.joined(separator: ", ")); choose with --name"
            throw LabError("There is no lab named \(name) (\(hint)).")
        }
        return LabDirectory(path: path)
    }

    static func names() -> [String] { Files.list(registry) }

    private static func taken(_ name: String) -> LabError {
        errno == EEXIST
            ? LabError("A lab named \(name) exists: 'neutrino lab down --name \(name)' ends it, --name makes another beside it.")
            : Files.failure("make \(registry)/\(name)")
    }

    private var file: String { "\(path)/lab.json" }

    func load() throws(LabError) -> LabState {
        guard let contents = Files.read(file), let json = try? JSONParser.parse(contents), let state = LabState(json: json) else {
            throw LabError("\(file) cannot be read: 'neutrino lab down' removes what is left of the lab.")
        }
        return state
    }

    func save(_ state: LabState) throws(LabError) { try Files.write(file, state.json.text + "\n") }

    /// Changes the state while no other process does.
    func update(_ change: (inout LabState) throws(LabError) -> Void) throws(LabError) {
        let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else { throw Files.failure("lock \(path)") }
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw Files.failure("lock \(path)") }
        var state = try load()
        try change(&state)
        try save(state)
    }

    /// Removes the directory and the lab's name.
    static func remove(name: String) {
        let entry = "\(registry)/\(name)"
        // A directory that the user named holds nothing but ours: it was empty before.
        if let target = Files.resolve(entry), target != entry { Files.remove(target) }
        Files.remove(entry)
        rmdir(registry)
    }
}
