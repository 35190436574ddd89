using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;

namespace Sway.PowerShell.Measuring;

/// <summary>The open sessions of a runspace. Each runspace has its own, so that those of parallel blocks do not disturb each other.</summary>
internal sealed class SessionTable
{
    private static readonly ConditionalWeakTable<Runspace, SessionTable> s_tables = [];

    private readonly Lock _lock = new();
    private readonly List<SwaySession> _sessions = [];
    private int _lastId;

    /// <summary>The table of the runspace that runs on this thread.</summary>
    internal static SessionTable Current => s_tables.GetValue(Runspace.DefaultRunspace, Create);

    /// <summary>The sessions that are open.</summary>
    internal List<SwaySession> Open()
    {
        lock (_lock)
        {
            _sessions.RemoveAll(session => session.State == SwaySessionState.Closed);
            return [.. _sessions];
        }
    }

    /// <summary>The open session of a name or number, or null.</summary>
    internal SwaySession? Find(string nameOrId)
    {
        List<SwaySession> open = Open();
        return open.Find(session => string.Equals(session.Name, nameOrId, StringComparison.OrdinalIgnoreCase))
            ?? open.Find(session => string.Equals(session.Id.ToString(null, null), nameOrId, StringComparison.Ordinal));
    }

    /// <summary>Gives a number to a session and keeps it.</summary>
    internal SwaySession Add(Func<int, SwaySession> create)
    {
        SwaySession session = create(Interlocked.Increment(ref _lastId));
        lock (_lock)
        {
            _sessions.Add(session);
        }

        return session;
    }

    /// <summary>Closes all.</summary>
    internal void CloseAll() => Open().ForEach(session => session.Dispose());

    private static SessionTable Create(Runspace runspace)
    {
        var table = new SessionTable();

        // A runspace that ends without Remove-Module must not keep models loaded.
        runspace.StateChanged += (_, change) =>
        {
            if (change.RunspaceStateInfo.State is RunspaceState.Closed or RunspaceState.Broken)
            {
                table.CloseAll();
            }
        };
        return table;
    }
}

/// <summary>Closes the runspace's sessions when the module is removed.</summary>
public sealed class ModuleCleanup : IModuleAssemblyCleanup
{
    /// <inheritdoc/>
    public void OnRemove(PSModuleInfo psModuleInfo) => SessionTable.Current.CloseAll();
}
