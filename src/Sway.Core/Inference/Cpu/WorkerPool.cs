using System.Runtime.ExceptionServices;

namespace Sway.Inference.Cpu;

/// <summary>Runs the parts of one operation on several threads. Which thread takes a part never changes what it computes.</summary>
internal sealed class WorkerPool : IDisposable
{
    // Below so many elementary steps the hand-over costs more than it gains.
    private const long Worthwhile = 20_000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _start = new(0);
    private readonly CountdownEvent _done = new(1);
    private Action<int>? _body;
    private Exception? _failure;
    private int _count;
    private int _next;
    private bool _stop;

    /// <param name="threads">Threads in all, the caller's included.</param>
    public WorkerPool(int threads)
    {
        Threads = Math.Max(1, threads);
        _threads = new Thread[Threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work) { IsBackground = true, Name = "Sway worker" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads in all.</summary>
    public int Threads { get; }

    /// <summary>Looked at before each part; parts are small enough (some milliseconds) that this bounds the wait.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>Calls <paramref name="body"/> for 0 ... count-1 and returns when all are done.</summary>
    /// <param name="count">Number of parts.</param>
    /// <param name="cost">Elementary steps in all.</param>
    /// <param name="body">One part. Must not call the pool.</param>
    /// <exception cref="OperationCanceledException"><see cref="Cancellation"/> was asked for; some parts are not done.</exception>
    public void For(int count, long cost, Action<int> body)
    {
        if (_threads.Length == 0 || count < 2 || cost < Worthwhile)
        {
            for (var i = 0; i < count; i++)
            {
                Cancellation.ThrowIfCancellationRequested();
                body(i);
            }

            return;
        }

        var helpers = Math.Min(_threads.Length, count - 1);
        _body = body;
        _count = count;
        _failure = null;
        Volatile.Write(ref _next, 0);
        _done.Reset(helpers);
        _start.Release(helpers);
        Drain();
        _done.Wait();
        _body = null;
        Cancellation.ThrowIfCancellationRequested();
        if (_failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop = true;
        if (_threads.Length > 0)
        {
            _start.Release(_threads.Length);
            foreach (var thread in _threads)
            {
                thread.Join();
            }
        }

        _start.Dispose();
        _done.Dispose();
    }

    private void Work()
    {
        while (true)
        {
            _start.Wait();
            if (_stop)
            {
                return;
            }

            Drain();
            _done.Signal();
        }
    }

    private void Drain()
    {
        var body = _body!;
        try
        {
            int index;
            while (!Cancellation.IsCancellationRequested && (index = Interlocked.Increment(ref _next) - 1) < _count)
            {
                body(index);
            }
        }
        catch (Exception e)
        {
            Volatile.Write(ref _next, _count);
            _failure = e;
        }
    }
}
