BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
}

Describe 'The cache' {
    BeforeEach {
        $before = $env:SWAY_CACHE_DIR
        $work = New-Workspace (Join-Path $TestDrive ([guid]::NewGuid()))
        $env:SWAY_CACHE_DIR = Join-Path $work 'cache [1] ü'
        $adapter = Join-Path $work adapters bible
    }

    AfterEach {
        $env:SWAY_CACHE_DIR = $before
        Remove-Item Env:SWAY_CACHE_SIZE -ErrorAction Ignore
    }

    It 'converts once and gives the same folder' {
        $first = ConvertTo-MlxAdapter $adapter -UseCache
        $second = ConvertTo-MlxAdapter $adapter -UseCache
        $first.FromCache | Should -BeFalse
        $second.FromCache | Should -BeTrue
        $second.FullName | Should -BeExactly $first.FullName
        (Get-LoraAdapterInfo -LiteralPath $second.FullName).Format | Should -BeExactly Mlx
        Join-Path $work adapters bible-mlx | Should -Not -Exist
    }

    It 'excludes -Destination' {
        { ConvertTo-MlxAdapter $adapter (Join-Path $work out) -UseCache -ErrorAction Stop } |
            Should -Throw -ErrorId 'ParametersExclude,Sway.PowerShell.Commands.ConvertToMlxAdapterCommand'
    }

    It 'lists, verifies and tells what is damaged' {
        Get-SwayCache | Should -BeNullOrEmpty
        $result = ConvertTo-MlxAdapter $adapter -UseCache
        $entry = Get-SwayCache
        $entry.Kind | Should -Be Conversion
        $entry.Origin | Should -BeExactly $adapter
        $entry.State | Should -Be NotVerified
        (Get-SwayCache -Verify).State | Should -Be Ok
        Get-SwayCache -Kind Scores | Should -BeNullOrEmpty
        Add-Content -LiteralPath (Join-Path $result.FullName adapter_config.json) ' '
        (Get-SwayCache -Verify).Problem | Should -Match 'adapter_config.json'
        (ConvertTo-MlxAdapter $adapter -UseCache).FromCache | Should -BeFalse
    }

    It 'clears what is asked for, and nothing with -WhatIf' {
        $null = ConvertTo-MlxAdapter (Join-Path $work adapters *) -UseCache
        Clear-SwayCache -WhatIf
        Get-SwayCache | Should -HaveCount 2
        Clear-SwayCache -OlderThan 1
        Get-SwayCache | Should -HaveCount 2
        Get-SwayCache | Where-Object Origin -Like '*bible' | Clear-SwayCache -PassThru | Should -HaveCount 1
        (Get-SwayCache).Origin | Should -Match untrained
        Clear-SwayCache
        Get-SwayCache | Should -BeNullOrEmpty
    }

    It 'refuses a size that is none' {
        $env:SWAY_CACHE_SIZE = 'much'
        { Get-SwayCache } | Should -Throw -ErrorId 'CacheFailed,Sway.PowerShell.Commands.GetSwayCacheCommand'
    }

    It 'serves parallel runspaces with one conversion' {
        $manifest = $Manifest
        $results = 1..4 | ForEach-Object -Parallel {
            Import-Module $using:manifest
            ConvertTo-MlxAdapter $using:adapter -UseCache
        }
        $results.FullName | Sort-Object -Unique | Should -HaveCount 1
        @($results | Where-Object FromCache -eq $false) | Should -HaveCount 1
    }
}

Describe 'Get-SwayBackend' {
    It 'has the managed engine, and says why MLX is there or not' {
        $cpu, $mlx = Get-SwayBackend
        $cpu.Name, $cpu.IsAvailable | Should -Be Cpu, $true
        $mlx.Name | Should -BeExactly Mlx
        if ($mlx.IsAvailable) {
            $mlx.Version, $mlx.Library | Should -Not -BeNullOrEmpty
        }
        else {
            $mlx.Problem | Should -Match SWAY_NATIVE_LIBRARY
            $mlx.Attempts | Should -Not -BeNullOrEmpty
        }
    }

    It 'looks at the library that SWAY_NATIVE_LIBRARY names' -Skip:([bool] (Get-Item Env:SWAY_NATIVE_LIBRARY -ErrorAction Ignore)) {
        $env:SWAY_NATIVE_LIBRARY = Join-Path $TestDrive none.so
        try {
            $mlx = Get-SwayBackend | Where-Object Name -EQ Mlx
            if (-not $mlx.IsAvailable) {
                $mlx.Attempts.Path | Should -BeExactly (Join-Path $TestDrive none.so)
                $mlx.Attempts.Outcome | Should -BeExactly absent
            }
        }
        finally {
            Remove-Item Env:SWAY_NATIVE_LIBRARY
        }
    }
}
