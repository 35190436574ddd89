using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Sway.Inference.Cpu;

/// <summary>Runs the parts of one operation on several threads. Which thread takes a part never changes what it computes.</summary>
/// <remarks>
/// Operations follow each other within microseconds, and waking a thread takes tens of them. So a thread that has nothing to do looks
/// out for the next operation for a moment before it sleeps, and nobody waits for a thread that came too late to take a part.
/// </remarks>
internal sealed class WorkerPool : IDisposable
{
    // Below so many elementary steps the hand-over costs more than it gains.
    private const long Worthwhile = 20_000;

    // Longer than what lies between the operations of a layer.
    private static readonly long s_patience = Stopwatch.Frequency / 10_000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _start = new(0);
    private readonly ManualResetEventSlim _done = new(false, spinCount: 0);
    private readonly bool _spin;
    private Action<int>? _body;
    private Exception? _failure;
    private int _count;
    private int _next;
    private int _places;
    private int _pending;
    private int _sleepers;
    private volatile bool _stop;

    /// <param name="threads">Threads in all, the caller's included.</param>
    public WorkerPool(int threads)
    {
        Threads = Math.Max(1, threads);
        _spin = Threads <= Environment.ProcessorCount;
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
        _next = 0;
        _pending = helpers;
        Interlocked.Exchange(ref _places, helpers);
        if (Volatile.Read(ref _sleepers) is > 0 and var sleepers)
        {
            _start.Release(Math.Min(helpers, sleepers));
        }

        Drain();
        Await();
        _body = null;
        Cancellation.ThrowIfCancellationRequested();
        if (_failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Calls <paramref name="body"/> for each of some rows, in blocks, so that neither the hand-over nor the look at the cancellation costs more than a row does.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="stepsOfRow">Elementary steps of a row.</param>
    /// <param name="body">One row. Must not call the pool.</param>
    public void ForRows(int rows, long stepsOfRow, Action<int> body)
    {
        var block = (int)Math.Clamp(100_000 / Math.Max(1, stepsOfRow), 1, Math.Max(1, rows / Threads));
        For((rows + block - 1) / block, rows * stepsOfRow, part =>
        {
            var end = Math.Min(rows, (part + 1) * block);
            for (var row = part * block; row < end; row++)
            {
                body(row);
            }
        });
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

    // The places that nobody took are withdrawn; those who took one are waited for.
    private void Await()
    {
        var left = Interlocked.Exchange(ref _places, 0);
        if (Interlocked.Add(ref _pending, -left) == 0)
        {
            return;
        }

        for (var end = Stopwatch.GetTimestamp() + s_patience; _spin && Volatile.Read(ref _pending) != 0 && Stopwatch.GetTimestamp() < end;)
        {
            Thread.SpinWait(4);
        }

        // The end of an earlier operation may be announced late: only the count says that this one is over.
        while (Volatile.Read(ref _pending) != 0)
        {
            _done.Reset();
            if (Volatile.Read(ref _pending) != 0)
            {
                _done.Wait();
            }
        }
    }

    private void Work()
    {
        while (!_stop)
        {
            if (!TryWork())
            {
                // Announced before the last look: either that look finds the places, or who offers them finds the sleeper.
                Interlocked.Increment(ref _sleepers);
                if (Volatile.Read(ref _places) == 0 && !_stop)
                {
                    _start.Wait();
                }

                Interlocked.Decrement(ref _sleepers);
            }
        }
    }

    private bool TryWork()
    {
        var end = Stopwatch.GetTimestamp() + s_patience;
        do
        {
            var places = Volatile.Read(ref _places);
            if (places > 0 && Interlocked.CompareExchange(ref _places, places - 1, places) == places)
            {
                Drain();
                if (Interlocked.Decrement(ref _pending) == 0)
                {
                    _done.Set();
                }

                return true;
            }

            Thread.SpinWait(4);
        }
        while (_spin && Stopwatch.GetTimestamp() < end);
        return false;
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
