import { VkPayButton } from './button.js';

if (!customElements.get('vk-pay-button')) customElements.define('vk-pay-button', VkPayButton);

export type { VkPayButton };

declare global {
  interface HTMLElementTagNameMap {
    'vk-pay-button': VkPayButton;
  }
}
