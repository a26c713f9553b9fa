export const STYLE = `
:host{display:inline-block;--c:var(--vk-pay-color,#07863f)}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box}
button,a{font:inherit;min-height:44px;padding:8px 20px;border:1px solid var(--c);border-radius:10px;background:var(--c);color:#fff;cursor:pointer;text-decoration:none}
button:disabled{opacity:.6}
:focus-visible{outline:3px solid var(--c);outline-offset:2px}
.main{width:100%}
dialog{--t:#16191d;--m:#59616b;--l:#d5dae0;width:400px;max-width:calc(100vw - 24px);max-height:calc(100vh - 24px);border:1px solid #0000;border-radius:20px;padding:20px 24px;text-align:center;font:15px/1.5 system-ui,sans-serif;background:#fff;color:var(--t)}
dialog[open]{display:grid;gap:10px}
::backdrop{background:#0009}
header{display:flex;align-items:center;gap:10px}
svg{width:32px;padding:6px;border-radius:10px;background:var(--c);fill:none;stroke:#fff;stroke-width:2}
svg,i{forced-color-adjust:none}
[data-provider=wxpay] svg{background:#07863f}
[data-provider=alipay] svg{background:#1268e0}
h2{font-size:1em;margin:0;flex:1;text-align:left}
b{font-size:36px;line-height:1.2}
img{width:208px;margin:auto;padding:6px;border:1px solid var(--l);border-radius:14px;background:#fff;image-rendering:pixelated}
i{width:56px;margin:12px auto 0;border-radius:50%;background:#8a5a00;color:#fff;font:700 28px/56px system-ui}
i:before{content:"!"}
[data-state=success] i{background:#07863f}
[data-state=success] i:before{content:"✓"}
[data-state=fail] i{background:#c8362b}
[data-state=ask] i{width:36px;height:36px;background:0 0;border:3px solid var(--l);border-top-color:var(--m);font-size:0}
[data-state=wait] i,img:not([hidden])~i{display:none}
p{margin:0}
span{display:block}
.plain,.x,.no{background:0 0;color:inherit;border-color:var(--l)}
.x,.no{border-color:#0000;padding:0}
div,span,time,.no{color:var(--m);font-size:14px;overflow-wrap:anywhere}
.off{color:inherit;font-weight:700}
.x{width:44px;margin:-6px -12px -6px 0;font-size:24px}
@media (max-width:560px){dialog{margin:auto 0 0;width:100vw;max-width:100vw;border-radius:20px 20px 0 0;padding-bottom:max(20px,env(safe-area-inset-bottom))}}
@media (prefers-reduced-motion:no-preference){dialog{animation:u .25s}@keyframes u{from{translate:0 32px;opacity:0}}[data-state=ask] i{animation:r 1s linear infinite}@keyframes r{to{rotate:1turn}}}
@media (prefers-color-scheme:dark){dialog{--t:#f1f3f5;--m:#b0b8c1;--l:#49515b;background:#1c1f24}dialog :focus-visible{outline-color:#fff}}
@media (prefers-contrast:more){dialog{--m:var(--t);--l:var(--t)}}`;
